"""DPoP (RFC 9449) over both HTTP libraries, against servers that check each proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.sides import Side


@pytest.fixture
def service() -> Iterator[DpopService]:
    with running_dpop_service() as running:
        yield running


def hook_of(service: DpopService, **changes: Any) -> OAuth2Hook:
    return OAuth2Hook(method=changes.pop("method", "GET"), connection=service.connection(**changes))


def test_a_call_proves_possession_of_its_token(service: DpopService, side: Side) -> None:
    hook = hook_of(service)
    for _ in range(2):
        answer = side.run(hook, "orders?page=2")
        assert answer.json()["authorization"] == "DPoP bound-tok-1"
    assert side.token(hook).token_type == "DPoP"
    assert service.refused() == []
    first, *calls = service.proofs
    assert (first["htm"], first["htu"]) == ("POST", f"{service.server.url}/token")
    assert "ath" not in first
    assert [call["htu"] for call in calls] == [f"{service.base_url}/orders"] * 2
    assert len({proof["jti"] for proof in service.proofs}) == 3
    assert set(first["header"]) == {"typ", "alg", "jwk"}
    assert set(first["header"]["jwk"]) == {"kty", "crv", "x", "y"}
    assert len({json.dumps(proof["header"]) for proof in service.proofs}) == 1


def test_nonces_of_both_servers_are_learnt_and_never_mixed(service: DpopService, side: Side) -> None:
    service.issuing.required = service.serving.required = True
    hook = hook_of(service)
    for _ in range(3):
        assert side.run(hook, "orders").status_code == 200
    assert service.refused() == ["use_dpop_nonce"] * 2
    assert [proof.get("nonce") for proof in service.proofs] == [None, "as-1", None, *["api-1"] * 3]


def test_a_nonce_that_changes_with_every_response(service: DpopService, side: Side) -> None:
    service.issuing.changes = service.serving.changes = True
    hook = hook_of(service)
    for _ in range(4):
        assert side.run(hook, "orders").status_code == 200
    assert service.refused() == ["use_dpop_nonce"] * 2
