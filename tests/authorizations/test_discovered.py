"""Where an issuer's metadata leads a client is told where nothing bounds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import Target, authorize, check_all, describe
from tests.support.servers.scripted import Json, ScriptedServer, token_json
from tests.support.service import Service

pytestmark = pytest.mark.fault("H65")


@pytest.fixture(autouse=True)
def _store(store: Path) -> None:
    """All of this is about what lies in the store."""


@pytest.fixture
def connection(service: Service, scripted: ScriptedServer) -> Any:
    """A connection whose issuer has its token endpoint on another host."""
    url = service.server.url
    service.server.script(Json({"issuer": url, "token_endpoint": f"{scripted.url}/token"}))
    scripted.script(token_json("the-token"))
    return service.connection(host=url, discovery=True)


def test_a_token_endpoint_elsewhere_is_used_and_named(
    service: Service, scripted: ScriptedServer, connection: Any, another_process: Callable[[], None]
) -> None:
    assert describe(connection).warnings == (), "nobody knows yet"
    (checked,) = check_all([Target.of(connection)])
    assert checked.ok
    (warning,) = checked.warnings
    hosts = f"127.0.0.1:{service.server.port}", f"127.0.0.1:{scripted.port}"
    assert all(host in warning for host in hosts), "both"
    assert "allowed_token_hosts" in warning
    assert authorize(connection).warnings == (warning,)
    another_process()
    assert describe(connection).warnings == (warning,)
    assert checked.report()["warnings"] == [warning]


def test_an_allow_list_that_names_both_is_an_answer(
    service: Service, scripted: ScriptedServer, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = f"127.0.0.1:{service.server.port}, 127.0.0.1:{scripted.port}"
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", hosts)
    (checked,) = check_all([Target.of(connection)])
    assert (checked.ok, checked.warnings, describe(connection).warnings) == (True, (), ())


def test_endpoints_of_the_issuers_own_host_are_none(service: Service) -> None:
    url = service.server.url
    service.server.script(
        lambda request: (
            token_json("the-token")
            if request.method == "POST"
            else Json({"issuer": url, "token_endpoint": f"{url}/token"})
        )
    )
    connection = service.connection(host=url, discovery=True)
    (checked,) = check_all([Target.of(connection)])
    assert (checked.ok, checked.warnings) == (True, ())


def test_a_connection_without_discovery_is_none(service: Service) -> None:
    (checked,) = check_all([Target.of(service.connection())])
    assert (checked.ok, checked.warnings) == (True, ())
