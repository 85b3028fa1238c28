"""The auth manager, by pyiceberg and by Airflow's Iceberg hook, at a REST catalog on loopback."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_oauth_provider.adapters.iceberg import OAuth2AuthManager
from airflow_oauth_provider.exceptions import ConfigurationError, ConnectionNotFoundError
from tests.support.consumer_pages import shown_json
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service

PATH = "airflow_oauth_provider.adapters.iceberg.OAuth2AuthManager"


def catalog(request: RecordedRequest) -> ScriptedResponse:
    if request.target.startswith("/api/v1/config"):
        return Json({"defaults": {}, "overrides": {}})
    return Json({"namespaces": [["sales"]]})


@pytest.fixture
def lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A connection ``my_catalog`` that is lent, and one of Airflow's own that names it."""
    service.api = catalog
    service.token = lambda request: token_json(f"tok-{request.form['scope'][0].replace(' ', '+')}")
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_catalog")
    monkeypatch.setenv("AIRFLOW_CONN_MY_CATALOG", service.environment(scope="own"))
    monkeypatch.setenv("AIRFLOW_CONN_ICEBERG_DEFAULT", stock(service, oauth2_conn_id="my_catalog"))
    return service


def stock(service: Service, **custom: Any) -> str:
    auth = {"type": "custom", "impl": PATH, "custom": custom}
    return json.dumps({"conn_type": "iceberg", "host": service.base_url, "extra": {"auth": auth}})


@pytest.mark.airflow
@pytest.mark.consumer("pyiceberg", "airflow.providers.apache.iceberg")
class TestWithPyiceberg:
    @pytest.fixture
    def hook(self, lent: Service) -> Callable[[], Any]:
        from airflow.providers.apache.iceberg.hooks.iceberg import IcebergHook

        made: Callable[[], Any] = IcebergHook
        return made

    def test_it_is_what_pyiceberg_wants(self, lent: Service) -> None:
        from pyiceberg.catalog.rest.auth import AuthManager, AuthManagerFactory

        manager = AuthManagerFactory.create(PATH, {"oauth2_conn_id": "my_catalog"})
        assert isinstance(manager, AuthManager)
        assert manager.auth_header() == "Bearer tok-own"
        assert repr(manager) == "<OAuth2AuthManager of connection 'my_catalog'>"

    def test_the_stock_hook(self, lent: Service, hook: Callable[[], Any]) -> None:
        assert hook().list_namespaces() == ["sales"]
        assert hook().test_connection() == (True, "Connected. Found 1 namespace(s).")
        assert {call.header("Authorization") for call in lent.calls} == {"Bearer tok-own"}
        assert len(lent.token_requests) == 1

    def test_the_configuration_that_the_page_shows(
        self, lent: Service, hook: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stored = {"conn_type": "iceberg", "host": lent.base_url, "extra": shown_json("iceberg")}
        monkeypatch.setenv("AIRFLOW_CONN_ICEBERG_DEFAULT", json.dumps(stored))
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", lent.environment())
        monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "orders_api")
        assert hook().list_namespaces() == ["sales"]
        assert lent.calls[-1].header("Authorization") == "Bearer tok-catalog"

    def test_parameters_of_a_catalog(
        self, lent: Service, hook: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        custom = {"oauth2_conn_id": "my_catalog", "scope": "a b", "audience": "https://catalog.example"}
        monkeypatch.setenv("AIRFLOW_CONN_ICEBERG_DEFAULT", stock(lent, **custom))
        hook().list_namespaces()
        assert lent.token_requests[0].form["audience"] == ["https://catalog.example"]
        assert lent.calls[-1].header("Authorization") == "Bearer tok-a+b"

    def test_one_that_is_not_lent(
        self, lent: Service, hook: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", lent.environment())
        monkeypatch.setenv("AIRFLOW_CONN_ICEBERG_DEFAULT", stock(lent, oauth2_conn_id="other"))
        with pytest.raises(ConfigurationError, match='"lent_connections = my_catalog, other"'):
            hook().list_namespaces()
        assert lent.server.requests == []

    @pytest.mark.parametrize(
        ("custom", "says"),
        [({}, "must name a connection"), ({"oauth2_conn_id": "my_catalog", "token": "x"}, "has no token")],
        ids=["no id", "unknown"],
    )
    def test_an_extra_that_cannot_be_meant(self, custom: dict[str, Any], says: str, lent: Service) -> None:
        with pytest.raises(ConfigurationError, match=says):
            OAuth2AuthManager(**custom)

    def test_a_connection_that_was_deleted(
        self, lent: Service, hook: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lent.token = lambda _: token_json("tok-once", expires_in=0)
        manager = OAuth2AuthManager(oauth2_conn_id="my_catalog")
        assert manager.auth_header() == "Bearer tok-once"
        monkeypatch.delenv("AIRFLOW_CONN_MY_CATALOG")
        with pytest.raises(ConnectionNotFoundError):
            manager.auth_header()
        with pytest.raises(ConnectionNotFoundError):
            hook().list_namespaces()
        assert lent.calls == []

    def test_it_is_read_when_the_catalog_is_made(
        self, lent: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No thread of pyiceberg or pyarrow has to, whichever asks first."""
        manager = OAuth2AuthManager(oauth2_conn_id="my_catalog")
        monkeypatch.delenv("AIRFLOW_CONN_MY_CATALOG")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(manager.auth_header).result() == "Bearer tok-own"

    def test_it_travels_as_an_id(self, lent: Service) -> None:
        """pyiceberg hands it to file systems, which are sent to other processes."""
        manager = OAuth2AuthManager(oauth2_conn_id="my_catalog")
        manager.auth_header()
        data = pickle.dumps(manager)
        assert b"tok-own" not in data
        assert b"a-client-secret" not in data
        assert pickle.loads(data).auth_header() == "Bearer tok-own"

    def test_fifty_threads(self, lent: Service) -> None:
        manager, together = OAuth2AuthManager(oauth2_conn_id="my_catalog"), threading.Barrier(50)

        def ask() -> str:
            together.wait()
            return manager.auth_header()

        with ThreadPoolExecutor(50) as pool:
            assert {future.result() for future in [pool.submit(ask) for _ in range(50)]} == {"Bearer tok-own"}
        assert len(lent.token_requests) == 1

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_in_a_forked_process(self, lent: Service, hook: Callable[[], Any]) -> None:
        made = hook()
        assert made.list_namespaces() == ["sales"]
        child = os.fork()
        if child == 0:  # pragma: no cover  (another process)
            ended = 1
            try:
                ended = 0 if made.list_namespaces() == ["sales"] else 2
            finally:
                os._exit(ended)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(lent.token_requests) == 1
