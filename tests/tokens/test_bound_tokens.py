"""Tokens that are bound to a key, and their keys, in memory and in the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.tokens import own_records
from airflow_oauth_provider.tokens.held_token import HeldToken
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.sealing import Sealer
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.fleet import Task, run
from tests.support.sides import Side
from tests.support.stores import SHARED, address_of


@pytest.fixture
def service() -> Iterator[DpopService]:
    with running_dpop_service() as running:
        yield running


@pytest.fixture
def file_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path


def hook_of(service: DpopService, **changes: Any) -> OAuth2Hook:
    return OAuth2Hook(method="GET", connection=service.connection(**changes))


def another_process() -> None:
    """Forget what only the memory of a process knows."""
    shared.slots.clear()
    own_records.clear()


def change_entries(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Let the store hold something else for each token: what *change* makes of its content."""
    seal = Sealer.seal

    def changed(sealer: Sealer, name: str, content: bytes) -> bytes:
        held = json.loads(content)
        if "token_type" in held:
            change(held)
        return seal(sealer, name, json.dumps(held).encode())

    monkeypatch.setattr(Sealer, "seal", changed)


def test_token_and_key_come_from_the_store_together(
    service: DpopService, file_store: Path, side: Side
) -> None:
    first = side.token(hook_of(service))
    another_process()
    hook = hook_of(service)
    assert side.run(hook, "orders").status_code == 200
    again = side.token(hook)
    assert isinstance(first, PrivateToken)
    assert isinstance(again, PrivateToken)
    assert (again.value, again.own_key) == (first.value, first.own_key)
    assert len(service.token_requests) == 1
    assert service.refused() == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda held: held.pop("proof_key"), id="lost"),
        pytest.param(lambda held: held.update(proof_key="damaged"), id="damaged"),
        pytest.param(lambda held: held.update(proof_key=5), id="no-text"),
        pytest.param(lambda held: held.update(proof_key='{"kty": "EC", "d": "AA"}'), id="no-key"),
        pytest.param(lambda held: held.update(token_type="Bearer"), id="of-another-type"),
    ],
)
def test_a_token_without_its_key_is_none(
    service: DpopService, file_store: Path, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    change_entries(monkeypatch, change)
    hook_of(service).get_token()
    another_process()
    hook = hook_of(service)
    assert hook.run("orders").json()["authorization"] == "DPoP bound-tok-2"
    assert service.refused() == []


def test_a_bound_token_where_none_was_asked_for_is_none(
    service: DpopService, file_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.token = None
    change_entries(monkeypatch, lambda held: held.update(token_type="DPoP"))
    service.token_type = "Bearer"
    service.bind = False
    values = set()
    for _ in range(2):
        values.add(hook_of(service, dpop=False).get_token().value)
        another_process()
    assert len(values) == 2


def test_a_store_that_cannot_be_read(service: DpopService, file_store: Path, side: Side) -> None:
    side.token(hook_of(service))
    for entry in file_store.rglob("*"):
        if entry.is_file():
            entry.write_bytes(b"something else")
    another_process()
    assert side.run(hook_of(service), "orders").status_code == 200
    assert len(service.token_requests) == 2


def test_neither_token_nor_key_lies_there_open(service: DpopService, file_store: Path) -> None:
    token = hook_of(service).get_token()
    assert isinstance(token, PrivateToken)
    assert token.own_key is not None
    stored = b"".join(entry.read_bytes() for entry in file_store.rglob("*") if entry.is_file())
    assert stored
    for value in (token.value, json.loads(token.own_key.reveal())["d"]):
        assert value.encode() not in stored


def test_the_key_of_the_connection_is_not_stored(service: DpopService) -> None:
    """Who can open the entry knows the client's secret, which is not that key."""
    from airflow_oauth_provider.protocol.dpop.proof_key import new_proof_key

    key = new_proof_key(lambda size: b"\7" * size)
    token = hook_of(service, private_key=key.reveal()).get_token()
    assert isinstance(token, PrivateToken)
    assert b"proof_key" not in HeldToken.of(token).dump()


def test_each_renewal_has_another_key(service: DpopService, side: Side) -> None:
    hook = hook_of(service)
    for _ in range(3):
        side.run(hook, "orders")
        side.call(hook, "get_token", force=True)
    assert len(set(service.bound.values())) == 4
    assert service.refused() == []


def test_another_key_of_the_connection_is_another_token(service: DpopService, file_store: Path) -> None:
    from airflow_oauth_provider.protocol.dpop.proof_key import new_proof_key

    for number in range(2):
        key = new_proof_key(lambda size, number=number: bytes([number + 1]) * size)  # type: ignore[misc]
        assert hook_of(service, private_key=key.reveal()).run("orders").status_code == 200
    assert len(set(service.bound.values())) == len(service.token_requests) == 2


def test_an_outage_serves_the_token_and_its_key(service: DpopService, file_store: Path) -> None:
    from tests.support.servers.scripted import Json

    hook_of(service).get_token()
    service.token = lambda _: Json({}, 503)
    another_process()
    assert hook_of(service).run("orders").status_code == 200
    with pytest.raises(Exception, match="503") as caught:
        hook_of(service, max_retry_attempts=0).get_token(force=True)
    assert not isinstance(caught.value, TransportError)


@pytest.mark.slow
@pytest.mark.fault("P02")
@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize("nonces", [False, True], ids=["plain", "nonces"])
def test_a_cold_start_of_16_shares_one_token_and_one_key(
    service: DpopService, request: pytest.FixtureRequest, tmp_path: Path, kind: str, nonces: bool
) -> None:
    service.issuing.required = service.serving.required = nonces
    connection = json.loads(service.environment())
    report = run(
        Task(
            connection,
            address_of(kind, request),
            str(tmp_path),
            16,
            calls=3,
            endpoint="orders",
            store_seconds=10.0,
        )
    )
    assert report.errors == set()
    assert report.tokens == {"bound-tok-1"}
    granted = [request for request in service.token_requests if request.header("DPoP")]
    assert len(granted) == (2 if nonces else 1), "one for the nonce"
    assert len(service.bound) == 1
    refusals = 16 if nonces else 0  # each process learns the nonce of the API
    calls = [call for call in service.calls if call.target == "/api/orders"]
    assert len(calls) == 16 * 3 + refusals
    assert not {"invalid_dpop_proof", "invalid_token"} & set(service.refused())
