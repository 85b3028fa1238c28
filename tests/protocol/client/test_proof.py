"""What authentication adds to a request hides itself wherever it is printed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from airflow_oauth_provider.protocol.client.methods import authenticate
from airflow_oauth_provider.protocol.client.proof import ASSERTION_TYPE, Proof
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.builders import NOW, SECRET, settings


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_it_shows_no_secret(method: str) -> None:
    proof = authenticate(settings(auth_method=method), now=NOW, entropy=bytes)
    sent = dict((*proof.headers, *proof.form))
    assert sent, "there is something to hide"
    assert SECRET not in f"{proof} {proof!r}"
    assert not [value for value in sent.values() if value in repr(proof)]


def test_it_adds_nothing_by_itself_and_does_not_change() -> None:
    proof = Proof()
    assert (proof.headers, proof.form) == ((), ())
    with pytest.raises(FrozenInstanceError):
        proof.form = (("client_id", "other"),)  # type: ignore[misc]


def test_an_assertion_names_its_type() -> None:
    given = settings(auth_method="client_secret_jwt", client_secret=Secret("0123456789abcdef" * 2))
    form = dict(authenticate(given, now=NOW, entropy=bytes).form)
    assert form["client_assertion_type"] == ASSERTION_TYPE
    assert form["client_assertion"].count(".") == 2
