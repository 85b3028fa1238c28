"""Reading one connection: once for all coroutines, warned of once, one object while it stays the same."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_oauth_provider.client import masking, reading
from airflow_oauth_provider.client.reading import ConnectionReader
from airflow_oauth_provider.connection import resolving
from airflow_oauth_provider.connection.token_parameters import TokenParameters
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, ConnectionNotFoundError
from airflow_oauth_provider.protocol.settings import ClientSettings
from tests.support.bound_tokens import certified
from tests.support.forks import forked
from tests.support.servers.certificates import issue_client
from tests.support.service import Service


@pytest.fixture
def reads(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Connections as Airflow is asked for them, by either way."""
    asked: list[str] = []

    def get(conn_id: str) -> Any:
        asked.append(conn_id)
        return service.connection(conn_id=conn_id)

    async def aget(conn_id: str) -> Any:
        await asyncio.sleep(0)
        return get(conn_id)

    monkeypatch.setattr(reading, "get_connection", get)
    monkeypatch.setattr(reading, "aget_connection", aget)
    return asked


def test_a_hundred_coroutines_read_it_once(reads: list[str]) -> None:
    reader = ConnectionReader("orders")

    async def several() -> set[int]:
        return {id(settings) for settings in await asyncio.gather(*(reader.aread() for _ in range(100)))}

    assert len(asyncio.run(several())) == 1
    assert reads == ["orders"]


def test_the_same_connection_is_the_same_object(reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ConnectionReader("orders")
    assert reader.settings is None
    assert not reader.is_recent
    first = reader.read()
    assert reader.read() is first
    assert reader.is_recent
    monkeypatch.setattr(reading, "FRESH_READ", -1.0)
    assert not reader.is_recent
    assert reads == ["orders", "orders"]


def test_what_deserves_a_warning_is_said_once(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    reader = ConnectionReader("orders", service.connection(conn_id="orders", scopes="read"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            reader.read()
    assert [record.getMessage() for record in caplog.records if "scopes" in record.getMessage()] == [
        'Connection "orders": unknown extra field "scopes" is ignored: check its spelling'
    ]
    assert len(reader.warnings) == 1


@pytest.mark.fault("F17")
@pytest.mark.parametrize("read", [ConnectionReader.read, lambda reader: asyncio.run(reader.aread())])
def test_a_connection_that_is_not_there(read: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(ConnectionReader("no_such_connection_anywhere"))
    assert caught.value.conn_id == "no_such_connection_anywhere"


@pytest.fixture(params=["thread", "loop"])
def read(request: pytest.FixtureRequest) -> Callable[[ConnectionReader], Any]:
    if request.param == "thread":
        return ConnectionReader.read
    return lambda reader: asyncio.run(reader.aread())


@pytest.mark.fault("F87")
def test_a_connection_is_resolved_once_while_it_stays_the_same(
    service: Service, read: Callable[[ConnectionReader], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved: list[Any] = []

    def resolve(connection: Any, policy: Any, **options: Any) -> Any:
        resolved.append(connection)
        return resolving.resolve(connection, policy, **options)

    monkeypatch.setattr(reading, "resolve", resolve)
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(password="the-first-secret"))
    reader = ConnectionReader("my_api")
    first = read(reader)
    assert read(reader) is first
    assert len(resolved) == 1
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(password="the-second-secret"))
    assert read(reader).client_secret.reveal() == "the-second-secret"
    assert len(resolved) == 2


def test_under_another_policy_it_is_resolved_anew(
    service: Service, read: Callable[[ConnectionReader], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    reader = ConnectionReader("my_api")
    assert read(reader).api.listed_hosts == ()
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    assert read(reader).api.listed_hosts == ("127.0.0.1",)


@pytest.mark.fault("C48")
@pytest.mark.parametrize("method", ["tls_client_auth", "private_key_jwt"])
def test_a_certificate_that_ends_while_the_process_lives(
    service: Service, read: Callable[[ConnectionReader], Any], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    now = [time.time()]
    monkeypatch.setattr(resolving, "time", SimpleNamespace(time=lambda: now[0]))
    client = issue_client(days=(-1, 1))
    reader = ConnectionReader("my_api", service.connection(**certified(client, auth_method=method)))
    first = read(reader)
    now[0] += 43_200
    assert read(reader) is first
    now[0] += 86_400
    with pytest.raises(ConfigurationError, match="expired on") as caught:
        read(reader)
    assert (caught.value.conn_id, caught.value.field) == ("my_api", "certificate")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_coroutines_of_a_forked_process_read_it_whatever_their_parents_have_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread in which Airflow reads for coroutines is not there in the child, which would wait for it."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())

    def read(conn_id: str) -> str:
        try:
            return asyncio.run(ConnectionReader(conn_id).aread()).client_id
        except ConnectionNotFoundError as error:
            return str(error.conn_id)

    names = ["my_api", "not_there"]
    found = [read(name) for name in names]
    assert found == ["my-client", "not_there"]
    assert forked(lambda: [read(name) for name in names]) == found
    assert forked(lambda: forked(lambda: [read(name) for name in names])) == found


class ThreadsOnly:
    """Airflow's channel in ``dag.test()``: without ``asend``, which the one of a triggerer has."""

    def send(self, message: object) -> None:
        """Not reached: the connection is read as threads do."""


@pytest.mark.parametrize("kind", [ThreadsOnly, SimpleNamespace])
def test_coroutines_read_as_threads_do_where_the_channel_is_for_threads_only(
    kind: type[Any], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There Airflow tells coroutines of each connection that there is none."""
    reading_threads = []

    def get(conn_id: str) -> Any:
        reading_threads.append(threading.current_thread())
        return service.connection(conn_id=conn_id)

    async def aget(conn_id: str) -> Any:
        return service.connection(conn_id=conn_id)

    monkeypatch.setattr(reading, "get_connection", get)
    monkeypatch.setattr("airflow.providers.common.compat.connection.get_async_connection", aget)
    task_runner = SimpleNamespace(SUPERVISOR_COMMS=kind())
    monkeypatch.setitem(sys.modules, "airflow.sdk.execution_time.task_runner", task_runner)
    assert asyncio.run(reading.aget_connection("orders")).conn_id == "orders"
    assert len(reading_threads) == (kind is ThreadsOnly)
    assert threading.main_thread() not in reading_threads


def test_what_depends_on_it_ends_before_and_after_anybody_sees_it_changed(
    reads: list[str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    reader = ConnectionReader("orders", on_change=lambda: seen.append(reader.settings))
    first = reader.read()
    reader.read()
    assert seen == [None, first]
    monkeypatch.setattr(reading, "get_connection", lambda _: service.connection(scope="write"))
    second = reader.read()
    assert seen[2:] == [first, second]
    assert second.request.scope == ("write",)


def test_a_use_for_another_tenant_knows_the_connections_own_settings(service: Service) -> None:
    given = service.connection(scope="{tenant}.read", tenant="acme", tenants=["other"])
    reader = ConnectionReader("orders", given, parameters=TokenParameters.of(tenant="other"))
    assert reader.read().request.scope == ("other.read",)
    assert reader.own_settings == ConnectionReader("orders", given).read()
    assert reader.sharing is read_policy().sharing


def test_without_masks_only_what_airflow_has_not_read_is_masked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow registers what stands in a connection; of an external credential it knows nothing."""
    masked: list[ClientSettings] = []
    monkeypatch.setattr(masking, "mask_credential", masked.append)
    ConnectionReader("orders", service.connection(), masks=False).read()
    assert masked == []
    entry = {
        "env": "ERP_SECRET",
        "hosts": ["127.0.0.1"],
        "client_ids": ["my-client"],
        "api_hosts": ["127.0.0.1"],
    }
    monkeypatch.setenv("ERP_SECRET", "s3cr3t-that-lies-outside")
    monkeypatch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", json.dumps({"erp": entry}))
    outside = service.connection(password=None, external_credential="erp")
    settings = ConnectionReader("orders", outside, masks=False).read()
    assert masked == [settings]
