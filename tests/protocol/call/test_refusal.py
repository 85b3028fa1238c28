from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import InsufficientScopeError, ResourceError
from airflow_oauth_provider.protocol.call.refusal import RefusedCall, resource_error
from airflow_oauth_provider.protocol.error_record import from_dict, to_dict
from airflow_oauth_provider.protocol.redaction import Redactor


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (403, False), (404, False), (408, True), (425, True), (429, True)]
    + [(status, True) for status in (500, 502, 503, 504, 599)],
)
def test_whether_the_same_call_may_succeed_later(status: int, retryable: bool) -> None:
    error = resource_error(RefusedCall(status, "Reason"))
    assert (error.status, error.retryable) == (status, retryable)
    assert str(error).startswith(f"the API answered {status} Reason")


def test_what_the_challenge_says_is_in_the_message() -> None:
    challenge = 'Bearer error="invalid_token", error_description="it has ended"'
    error = resource_error(RefusedCall(401, challenges=(challenge,), retry_after=7.0, renews=True))
    assert "invalid_token (it has ended)" in str(error)
    assert "a new token did not help" in str(error)
    assert (error.challenge, error.retry_after) == ("Bearer", 7.0)


def test_another_scheme_is_named() -> None:
    assert "it wants Negotiate, Basic, not a Bearer token" in str(
        resource_error(RefusedCall(401, challenges=("Negotiate", "Basic")))
    )


@pytest.mark.parametrize(
    ("challenge", "scope"),
    [
        ('Bearer error="insufficient_scope", scope="orders.write"', "orders.write"),
        ('Bearer error="insufficient_scope"', None),
    ],
)
def test_a_missing_scope_has_an_error_of_its_own(challenge: str, scope: str | None) -> None:
    error = resource_error(RefusedCall(403, challenges=(challenge,)))
    assert isinstance(error, InsufficientScopeError)
    assert error.scope == scope
    assert not error.retryable
    assert (scope or "does not name") in str(error)


@pytest.mark.fault("F10")
def test_a_refusal_that_is_remembered_may_pass() -> None:
    error = resource_error(RefusedCall(401, challenges=("Bearer",), refusal_remembered=True))
    assert type(error) is ResourceError
    assert error.retryable
    assert "was not renewed" in str(error)


class TestWhatItReads:
    """What was called, what the API said, what to do."""

    @pytest.mark.fault("F40")
    def test_method_address_status_and_body(self) -> None:
        call = RefusedCall(
            404,
            "NOT FOUND",
            "GET",
            "https://api.example/v1/ordrs?page=\u2026",
            body='{"message": "no ordrs"}',
        )
        error = resource_error(call)
        assert str(error) == (
            'GET https://api.example/v1/ordrs?page=\u2026 answered 404 NOT FOUND: {"message": "no ordrs"}'
        )
        assert (error.method, error.url, error.body) == (call.method, call.url, call.body)

    @pytest.mark.fault("F40")
    def test_challenge_and_body_stand_beside_each_other(self) -> None:
        challenge = 'Bearer error="invalid_token"'
        error = resource_error(RefusedCall(400, challenges=(challenge,), body="ended"))
        assert str(error) == "the API answered 400: invalid_token; ended"

    @pytest.mark.fault("F20")
    @pytest.mark.parametrize("name", ["error", "error_description", "realm"])
    def test_what_a_challenge_repeats(self, name: str) -> None:
        secret = "a-secret-that-is-echoed"
        challenges = f'Bearer {name}="{secret}"', f"{secret} x=y"
        call = RefusedCall(401, secret, challenges=challenges, retry_after=1.0)
        error = resource_error(call, Redactor([secret]))
        assert secret not in f"{error}{error.challenge}{vars(error)}"
        assert "***" in str(error)

    @pytest.mark.fault("F40")
    def test_it_survives_pickle_copy_and_events(self) -> None:
        call = RefusedCall(404, "NOT FOUND", "GET", "https://api.example/", body="no")
        scope = RefusedCall(
            403, "", "POST", "https://api.example/", ('Bearer error="insufficient_scope"',), "no"
        )
        for error in (resource_error(call), resource_error(scope)):
            for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), from_dict(to_dict(error))):
                assert type(again) is type(error)
                assert vars(again) == vars(error)

    @pytest.mark.fault("F70")
    @pytest.mark.parametrize(
        ("changes", "advised"),
        [
            ({"token_was_new": False}, True),
            ({"token_was_new": True}, False),
            ({"token_was_new": None}, False),
            ({"token_was_new": False, "renews": True}, False),
            ({"token_was_new": False, "status": 404}, False),
        ],
        ids=["old", "new", "unknown", "renewed-anyway", "another-status"],
    )
    def test_a_refusal_that_may_mean_a_dead_token(self, changes: dict[str, Any], advised: bool) -> None:
        error = resource_error(RefusedCall(**{"status": 403, **changes}))
        assert ("refresh_on_status" in str(error)) is advised


@pytest.mark.fault("F71")
@pytest.mark.parametrize(
    "proved, challenge, says, advises",
    [
        pytest.param(False, "DPoP", "asks for a proof", "switch the connection's dpop on", id="without"),
        pytest.param(True, 'DPoP error="use_dpop_nonce"', "a nonce", "ask the operator", id="nonce"),
        pytest.param(True, 'DPoP error="invalid_dpop_proof"', "does not accept", "clock", id="proof"),
        pytest.param(True, 'DPoP error="invalid_token"', "a new token did not help", None, id="token"),
        pytest.param(True, "Bearer", "it wants Bearer, not a DPoP token", None, id="bearer-only"),
        pytest.param(
            False, 'Bearer error="invalid_token", DPoP', "a new token did not help", None, id="either"
        ),
        pytest.param(True, 'Bearer, DPoP error="invalid_token"', "401: invalid_token", None, id="ours-first"),
    ],
)
@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_that_is_about_proofs(
    proved: bool, challenge: str, says: str, advises: str | None, status: int
) -> None:
    call = RefusedCall(status, challenges=(challenge,), proved=proved, renews=status == 401)
    error = resource_error(call)
    if "token did not help" not in says or status == 401:
        assert says.replace("401", str(status)) in str(error)
    assert (advises or "") in (error.advice or "")
    assert (error.advice is None) is (advises is None)


def test_a_nonce_that_has_changed_may_be_another_calls_doing() -> None:
    challenge = 'DPoP error="use_dpop_nonce"'
    error = resource_error(RefusedCall(401, challenges=(challenge,), proved=True, names_nonce=True))
    assert error.retryable
    assert "another nonce" in str(error)
    assert "repeat the call" in (error.advice or "")
    assert not resource_error(RefusedCall(401, challenges=(challenge,), proved=True)).retryable
