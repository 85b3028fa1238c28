from __future__ import annotations

import pytest

from airflow_oauth_provider.exceptions import InsufficientScopeError, ResourceError
from airflow_oauth_provider.protocol.call.refusal import resource_error


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (403, False), (404, False), (408, True), (425, True), (429, True)]
    + [(status, True) for status in (500, 502, 503, 504, 599)],
)
def test_whether_the_same_call_may_succeed_later(status: int, retryable: bool) -> None:
    error = resource_error(status, "Reason", [])
    assert (error.status, error.retryable) == (status, retryable)
    assert f"HTTP status {status}" in str(error)
    assert "Reason" in str(error)


def test_what_the_challenge_says_is_in_the_message() -> None:
    challenge = 'Bearer error="invalid_token", error_description="it has ended"'
    error = resource_error(401, "", [challenge], retry_after=7.0)
    assert "invalid_token (it has ended)" in str(error)
    assert "a new token did not help" in str(error)
    assert (error.challenge, error.retry_after) == ("Bearer", 7.0)


def test_another_scheme_is_named() -> None:
    assert "it wants Negotiate, Basic, not a Bearer token" in str(
        resource_error(401, "", ["Negotiate", "Basic"])
    )


@pytest.mark.parametrize(
    ("challenge", "scope"),
    [
        ('Bearer error="insufficient_scope", scope="orders.write"', "orders.write"),
        ('Bearer error="insufficient_scope"', None),
    ],
)
def test_a_missing_scope_has_an_error_of_its_own(challenge: str, scope: str | None) -> None:
    error = resource_error(403, "", [challenge])
    assert isinstance(error, InsufficientScopeError)
    assert error.scope == scope
    assert not error.retryable
    assert (scope or "does not name") in str(error)


@pytest.mark.fault("F10")
def test_a_refusal_that_is_remembered_may_pass() -> None:
    error = resource_error(401, "", ["Bearer"], refusal_remembered=True)
    assert type(error) is ResourceError
    assert error.retryable
    assert "was not renewed" in str(error)
