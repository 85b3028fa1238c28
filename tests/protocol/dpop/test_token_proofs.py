"""Token requests with a proof, through a whole acquisition."""

from __future__ import annotations

import os
from email.utils import formatdate
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError, TokenResponseError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.dpop.proof_key import new_proof_key
from airflow_oauth_provider.protocol.dpop.server_hints import ServerHints
from airflow_oauth_provider.protocol.dpop.token_proofs import TokenProofs
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.settings import ClientSettings, ProofSettings
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, Run, http_response, settings, token_response

GRANTED = token_response(token_type="DPoP")


def with_dpop(**changes: Any) -> ClientSettings:
    return settings(proof=ProofSettings(enabled=True), **changes)


def use_nonce(*nonces: str, status: int = 400) -> HttpResponse:
    refusal = http_response({"error": "use_dpop_nonce"}, status)
    headers = tuple(("dpop-nonce", nonce) for nonce in nonces)
    return HttpResponse(refusal.status, (*refusal.headers, *headers), refusal.body)


def run(*results: HttpResponse | Failure, given: ClientSettings | None = None) -> Run:
    return Run(given or with_dpop(), results, entropy=os.urandom)


def proofs(made: Run) -> list[dict[str, Any]]:
    values = [dict(send.request.headers)["DPoP"] for send in made.sent]
    return [dict(jwt.decode(value, options={"verify_signature": False})) for value in values]


def refused(made: Run) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        made.finish()
    return caught.value


def test_each_request_has_a_proof_of_its_own_by_one_key() -> None:
    made = run(http_response(status=503), GRANTED)
    token = made.finish().token
    assert isinstance(token, PrivateToken)
    assert token.token_type == "DPoP"
    assert token.own_key is not None
    first, second = proofs(made)
    assert first["jti"] != second["jti"]
    assert {first["htm"], first["htu"]} == {"POST", "https://idp.example/token"}
    headers = [jwt.get_unverified_header(dict(send.request.headers)["DPoP"]) for send in made.sent]
    assert headers[0] == headers[1]


def test_each_token_has_a_key_of_its_own() -> None:
    keys = {getattr(run(GRANTED).finish().token, "own_key", None) for _ in range(2)}
    assert len(keys) == 2


def test_the_key_of_the_connection_serves_all_tokens() -> None:
    key = new_proof_key(os.urandom)
    given = settings(proof=ProofSettings(enabled=True, private_key=key))
    token = run(GRANTED, given=given).finish().token
    assert isinstance(token, PrivateToken)
    assert token.own_key is None


@pytest.mark.fault("H12")
@pytest.mark.parametrize("status", [400, 401])
def test_a_nonce_that_is_asked_for_costs_no_attempt(status: int) -> None:
    made = run(use_nonce("n-1", status=status), GRANTED, given=with_dpop(retry={"max_attempts": 0}))
    made.finish()
    assert [proof.get("nonce") for proof in proofs(made)] == [None, "n-1"]
    assert made.sleeps == []


@pytest.mark.fault("H12")
def test_a_server_that_asks_twice_is_refused_for_good() -> None:
    made = run(use_nonce("n-1"), use_nonce("n-2"), GRANTED)
    error = refused(made)
    assert isinstance(error, TokenEndpointError)
    assert (error.error, error.retryable, len(made.sent)) == ("use_dpop_nonce", False, 2)
    assert "nonce" in (error.advice or "")


@pytest.mark.fault("H13")
@pytest.mark.parametrize("nonces", [(), ("a", "b")], ids=["none", "two"])
def test_no_nonce_or_two_is_a_refusal_for_good(nonces: tuple[str, ...]) -> None:
    made = run(use_nonce(*nonces), GRANTED)
    error = refused(made)
    assert isinstance(error, TokenEndpointError)
    assert (error.retryable, len(made.sent)) == (False, 1)


@pytest.mark.fault("H12")
def test_a_nonce_that_has_lapsed_during_a_pause() -> None:
    """Asked for again, but not twice in a row."""
    made = run(use_nonce("n-1"), http_response(status=503), use_nonce("n-2"), GRANTED)
    made.finish()
    assert [proof.get("nonce") for proof in proofs(made)] == [None, "n-1", "n-1", "n-2"]


def test_a_nonce_that_changes_with_every_response() -> None:
    unavailable = HttpResponse(503, (("dpop-nonce", "n-2"),))
    made = run(use_nonce("n-1"), unavailable, GRANTED)
    made.finish()
    assert [proof.get("nonce") for proof in proofs(made)] == [None, "n-1", "n-2"]
    assert len(made.sleeps) == 1, "a server that is busy is given time, nonce or not"


def test_a_nonce_beside_another_refusal_changes_nothing_about_it() -> None:
    refusal = http_response({"error": "invalid_client"}, 401)
    made = run(HttpResponse(401, (*refusal.headers, ("dpop-nonce", "n-1")), refusal.body), GRANTED)
    assert isinstance(refused(made), TokenEndpointError)
    assert len(made.sent) == 1


def test_a_busy_server_that_asks_for_a_nonce_is_busy() -> None:
    made = run(use_nonce("n-1", status=503), GRANTED)
    made.finish()
    assert len(made.sleeps) == 1


def test_a_nonce_that_comes_when_the_time_is_over() -> None:
    made = Run(with_dpop(retry={"max_wait": 1.0}), [use_nonce("n-1"), GRANTED], entropy=os.urandom, takes=1.0)
    assert isinstance(refused(made), TokenEndpointError)
    assert len(made.sent) == 1


@pytest.mark.parametrize("code", ["invalid_dpop_proof", "use_dpop_nonce"])
def test_without_dpop_no_clock_helps(code: str) -> None:
    late = http_response({"error": code}, 400, date=formatdate(NOW + 900, usegmt=True))
    made = run(late, GRANTED, given=settings())
    refused(made)
    assert len(made.sent) == 1


def test_without_dpop_no_nonce_helps() -> None:
    made = run(use_nonce("n-1"), GRANTED, given=settings())
    error = refused(made)
    assert len(made.sent) == 1
    assert "switch dpop on" in (error.advice or "")


@pytest.mark.fault("K08")
def test_a_proof_is_made_anew_with_the_servers_time() -> None:
    late = http_response({"error": "invalid_dpop_proof"}, 400, date=formatdate(NOW + 900, usegmt=True))
    made = run(late, GRANTED)
    made.finish()
    first, second = proofs(made)
    assert 899 <= second["iat"] - first["iat"] <= 901


@pytest.mark.fault("H11")
def test_a_proof_that_is_refused_otherwise_is_refused_for_good() -> None:
    made = run(http_response({"error": "invalid_dpop_proof"}, 400))
    error = refused(made)
    assert len(made.sent) == 1
    assert "clock" in (error.advice or "")


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BearerToken", "mac", "N_A"])
def test_a_token_that_is_not_bound_is_never_used(token_type: str) -> None:
    error = refused(run(token_response(token_type=token_type)))
    assert isinstance(error, TokenResponseError)
    assert not error.retryable
    assert "RFC 9449" in str(error)


@pytest.mark.parametrize("token_type", ["DPoP", "dpop", "DPOP"])
def test_its_type_is_compared_without_regard_to_case(token_type: str) -> None:
    assert run(token_response(token_type=token_type)).finish().token.token_type == "DPoP"


def test_a_bound_token_that_nobody_asked_for_is_never_used() -> None:
    error = refused(run(GRANTED, given=settings()))
    assert isinstance(error, TokenResponseError)
    assert error.advice == "switch dpop on"


def test_a_proof_that_is_sent_back_is_not_shown() -> None:
    from airflow_oauth_provider.protocol.effects import Outcome, Send
    from airflow_oauth_provider.protocol.moments import Budget, Moment
    from airflow_oauth_provider.protocol.token.acquisition import acquisition

    began = Moment(NOW, 1000.0)
    flow = acquisition(with_dpop(), began, Budget.of(began, 60.0), random=lambda: 0.5, entropy=os.urandom)
    send = next(flow)
    assert isinstance(send, Send)
    proof = dict(send.request.headers)["DPoP"]
    assert proof not in repr(send)
    with pytest.raises(TokenEndpointError) as caught:
        flow.send(
            Outcome(began, http_response({"error": "x", "error_description": f"bad proof {proof}"}, 400))
        )
    assert proof.rpartition(".")[2] not in str(caught.value)
    assert "***" in str(caught.value)


def test_a_fault_of_the_network_is_tried_again_with_another_proof() -> None:
    made = run(Failure(Fault.CUT, "cut"), GRANTED)
    made.finish()
    first, second = proofs(made)
    assert first["jti"] != second["jti"]


@pytest.mark.fault("K08", "H07")
def test_a_wrong_secret_is_one_request_whatever_the_clock_says() -> None:
    wrong = http_response({"error": "invalid_client"}, 401, date=formatdate(NOW + 900, usegmt=True))
    made = run(wrong)
    assert isinstance(refused(made), TokenEndpointError)
    assert len(made.sent) == 1


class TestSeveralAcquisitions:
    """They have what servers say in common, and each its own nonce once it has one."""

    def test_what_one_has_learned_serves_the_next(self) -> None:
        hints, endpoint = ServerHints(), parse_url("https://idp.example/token")
        first, second = (TokenProofs(with_dpop(), hints, os.urandom) for _ in range(2))
        request = TokenRequest(str(endpoint), (), b"")

        def nonce(of: TokenProofs) -> Any:
            value = dict(of.put_on(request, endpoint, NOW).headers)["DPoP"]
            return jwt.decode(value, options={"verify_signature": False}).get("nonce")

        assert nonce(first) is None
        assert first.learn(use_nonce("n-1"))
        assert [nonce(second), nonce(first)] == ["n-1", "n-1"]
        assert second.learn(use_nonce("n-2"))
        assert [nonce(second), nonce(first)] == ["n-2", "n-1"]

    def test_no_error_repeats_proof_or_key(self) -> None:
        made, endpoint = (
            TokenProofs(with_dpop(), ServerHints(), os.urandom),
            parse_url("https://idp.example/t"),
        )
        request = made.put_on(TokenRequest(str(endpoint), (), b""), endpoint, NOW)
        token = made.bound(AccessToken("tok-1", "DPoP", NOW + 60, NOW))
        assert isinstance(token, PrivateToken)
        assert token.own_key is not None
        assert {dict(request.headers)["DPoP"], token.own_key.reveal()} <= set(request.redactor.values)
