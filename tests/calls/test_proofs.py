"""The proofs of one connection's calls."""

from __future__ import annotations

import os
import time
from email.utils import formatdate
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.calls.proofs import CallProofs
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.dpop.bound_token import with_key
from airflow_oauth_provider.protocol.dpop.proof_key import new_proof_key
from airflow_oauth_provider.protocol.settings import ProofSettings
from tests.support.service import Service

CALL = SendCall("GET", "https://api.example/orders?page=2")


@pytest.fixture
def proofs(service: Service) -> CallProofs:
    return CallProofs(OAuth2Client("my_api", service.connection(dpop=True)))


def bound_token() -> AccessToken:
    token = AccessToken("tok", "DPoP", time.time() + 60, time.time())
    bound = with_key(token, ProofSettings(enabled=True), new_proof_key(os.urandom))
    assert bound is not None
    return bound


def claims(proofs: CallProofs, token: AccessToken, call: SendCall = CALL) -> dict[str, Any]:
    value = proofs.sign(token, call)
    return dict(jwt.decode(value, options={"verify_signature": False}))


def refusal(error: str, *nonces: str, ahead: float = 0.0) -> ResponseHead:
    date = formatdate(time.time() + ahead, usegmt=True)
    return ResponseHead(401, None, (f'DPoP error="{error}"',), nonces, date)


def test_a_proof_with_what_the_api_has_said(proofs: CallProofs) -> None:
    token = bound_token()
    assert "nonce" not in claims(proofs, token)
    assert proofs.learn(CALL, refusal("use_dpop_nonce", "n-1")).proof_can_improve
    assert claims(proofs, token)["nonce"] == "n-1"
    proofs.keep_nonce(CALL.url, ("n-2",))
    proofs.keep_nonce(CALL.url, ())
    assert claims(proofs, token)["nonce"] == "n-2"
    assert "nonce" not in claims(proofs, token, SendCall("GET", "https://other.example/orders"))


@pytest.mark.fault("K08")
def test_a_proof_with_the_time_of_the_api(proofs: CallProofs) -> None:
    token = bound_token()
    assert proofs.learn(CALL, refusal("invalid_dpop_proof", ahead=-600.0)).proof_can_improve
    assert claims(proofs, token)["iat"] - time.time() == pytest.approx(-600.0, abs=60.0)


def test_a_refused_token_is_no_refused_proof(proofs: CallProofs) -> None:
    assert not proofs.learn(CALL, refusal("invalid_token", "n-1", ahead=900.0)).proof_can_improve


def test_a_token_without_its_key_gets_none(proofs: CallProofs) -> None:
    with pytest.raises(TypeError, match="travels with its key"):
        proofs.sign(AccessToken("tok", "DPoP", 1.0, 0.0), CALL)


def test_the_nonce_of_a_calls_own_challenge_comes_first(proofs: CallProofs) -> None:
    """A response that was long under way may bring an older one in between."""
    proofs.learn(CALL, refusal("use_dpop_nonce", "new"))
    proofs.keep_nonce(CALL.url, ("old",))
    assert claims(proofs, bound_token(), CALL._replace(nonce="new"))["nonce"] == "new"
