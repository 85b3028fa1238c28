"""Displays say that tokens are bound to a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.actions import ConnectionCheck
from airflow_oauth_provider.authorizations.description import describe
from airflow_oauth_provider.cli.rows import authorized_facts, listed_row
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.servers.scripted import Json

pytestmark = pytest.mark.airflow


@pytest.fixture
def service() -> Iterator[DpopService]:
    with running_dpop_service() as running:
        yield running


@pytest.mark.parametrize("dpop, constraint", [(True, "DPoP"), (False, None)])
def test_list_and_check(service: DpopService, dpop: bool, constraint: Any) -> None:
    service.bind, service.token_type = dpop, "DPoP" if dpop else "Bearer"
    connection = service.connection(dpop=dpop)
    checked = ConnectionCheck.of(connection).check()
    described = describe(connection)
    for report in (checked.report(), described.report()):
        assert report["sender_constraint"] == constraint
    assert ("bound to a key (DPoP)" in checked.message) is dpop
    assert authorized_facts(checked)["Tokens bound by"] == constraint
    assert ("DPoP" in listed_row(described)["method"]) is dpop


def test_the_test_button_calls_the_probe_with_a_proof(
    service: DpopService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    service.serving.required = True
    hook = OAuth2Hook(connection=service.connection(probe_path="/health"))
    worked, message = hook.test_connection()
    assert worked, message
    assert "DPoP" in message
    assert "The probe answered HTTP status 200" in message
    assert service.refused() == ["use_dpop_nonce"]


def test_a_probe_that_fails_says_nothing_confidential(service: DpopService) -> None:
    service.api = lambda request: Json({"echo": request.header("DPoP")}, 403)
    checked = ConnectionCheck.of(service.connection(probe_path="/health")).check()
    assert not checked.ok
    assert "***" in str(checked.error)
    assert service.proofs[-1]["jwt"].rpartition(".")[2] not in str(checked.report())
