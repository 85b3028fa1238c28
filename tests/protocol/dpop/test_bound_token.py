"""A token and the key that it is bound to."""

from __future__ import annotations

import copy
import os
import pickle
from dataclasses import replace

import pytest

from airflow_oauth_provider.protocol.access_token import AccessToken, TokenState
from airflow_oauth_provider.protocol.dpop.bound_token import with_key
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key, new_proof_key
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ProofSettings

BEARER = AccessToken("the-token", "Bearer", 1000.0, 0.0, frozenset({"read"}), scopes_stated=False)
DPOP = replace(BEARER, token_type="DPoP")
OWN, CONFIGURED = new_proof_key(os.urandom), new_proof_key(os.urandom)
ON = ProofSettings(enabled=True)


def test_with_a_key_of_its_own() -> None:
    token = with_key(DPOP, ON, OWN)
    assert isinstance(token, PrivateToken)
    assert token.own_key == OWN
    assert token.proof_key is not None
    assert token.proof_key.thumbprint == load_proof_key(OWN).thumbprint
    assert (token.value, token.token_type, token.scopes) == ("the-token", "DPoP", frozenset({"read"}))
    assert not token.scopes_stated
    assert token.state(10.0) is TokenState.FRESH


def test_with_the_key_of_the_connection() -> None:
    """Which is not handed on with the token."""
    token = with_key(DPOP, replace(ON, private_key=CONFIGURED), OWN)
    assert isinstance(token, PrivateToken)
    assert token.own_key is None
    assert token.proof_key is not None
    assert token.proof_key.thumbprint == load_proof_key(CONFIGURED).thumbprint


@pytest.mark.parametrize("key", [None, Secret("damaged"), Secret('{"kty": "EC"}')])
def test_without_its_key_it_is_none(key: Secret | None) -> None:
    assert with_key(DPOP, ON, key) is None


def test_a_token_of_the_other_type_is_none() -> None:
    assert with_key(BEARER, ON, OWN) is None
    assert with_key(DPOP, ProofSettings(), OWN) is None
    assert with_key(BEARER, ProofSettings(), None) is BEARER


def test_it_shows_nothing() -> None:
    token = with_key(DPOP, ON, OWN)
    assert isinstance(token, PrivateToken)
    texts = f"{token!r} {token} {token:>10}"
    assert "the-token" not in texts
    assert OWN.reveal() not in texts
    assert "proof_key" not in texts
    assert copy.deepcopy(token) is token
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(token)
