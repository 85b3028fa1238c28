"""A token and its companions."""

from __future__ import annotations

import copy
import os
import pickle

import pytest

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key, new_proof_key
from airflow_oauth_provider.protocol.private_token import PrivateToken, accompanied, details_of

TOKEN = AccessToken("the-token", "DPoP", 1000.0, 0.0, frozenset({"read"}), scopes_stated=False)


def test_companions_come_one_after_the_other() -> None:
    """Of an API whose address comes with the token, and which wants proofs."""
    own_key = new_proof_key(os.urandom)
    named = accompanied(TOKEN, instance_url="https://eu.example")
    token = accompanied(named, proof_key=load_proof_key(own_key), own_key=own_key)
    assert isinstance(token, PrivateToken)
    assert (token.instance_url, token.own_key) == ("https://eu.example", own_key)
    for name in ("value", "token_type", "expires_at", "issued_at", "scopes", "scopes_stated"):
        assert getattr(token, name) == getattr(TOKEN, name)


def test_without_companions_it_stays_as_it_is() -> None:
    assert accompanied(TOKEN, instance_url=None, details=None) is TOKEN


def test_they_are_not_shown() -> None:
    own_key = new_proof_key(os.urandom)
    token = accompanied(TOKEN, own_key=own_key, details='{"account": 1}')
    assert "account" not in f"{token!r}{token}"
    assert own_key.reveal() not in f"{token!r}{token}"
    assert copy.deepcopy(token) is token
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(token)


def test_what_was_granted_is_asked_of_any_token() -> None:
    plain = AccessToken("value-of-the-token", "Bearer", 3600.0, 0.0)
    assert details_of(plain) is None
    granted = accompanied(plain, details='[{"type": "account 12345"}]')
    assert details_of(granted) == '[{"type": "account 12345"}]'
    assert "12345" not in f"{granted} {granted!r}"
