"""The notifier, called as Airflow calls it: in a callback, and awaited in the triggerer."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.notifier import BaseNotifier
from airflow.providers.common.compat.sdk import BaseHook

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    InvalidClientError,
    ResourceError,
)
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from airflow_oauth_provider.testing.server import OAuth2Server

pytestmark = pytest.mark.airflow
Notify = Callable[..., None]
KNOWS_CONTEXT = "context" in inspect.signature(BaseNotifier.__init__).parameters
raises = pytest.mark.skipif(not KNOWS_CONTEXT, reason="Airflow 3.0 logs what a notifier raises, and goes on")


def in_callback(context: dict[str, Any], **arguments: Any) -> None:
    OAuth2HttpNotifier(**{"oauth2_conn_id": "my_api", **arguments})({"dag": None, **context})


def in_triggerer(context: dict[str, Any], **arguments: Any) -> None:
    async def awaited() -> None:
        await OAuth2HttpNotifier(**{"oauth2_conn_id": "my_api", **arguments}, context=context)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(awaited())
    gc.collect()  # an unclosed session would complain now


@pytest.fixture
def api(oauth2_server: OAuth2Server) -> ApiEndpoint:
    for method, path in (("POST", "events"), ("PUT", "v2/events/import"), ("POST", "x")):
        oauth2_server.api.route(path, method=method)
    return oauth2_server.api


@pytest.fixture(
    params=[
        in_callback,
        pytest.param(
            in_triggerer,
            marks=pytest.mark.skipif(not KNOWS_CONTEXT, reason="Airflow 3.1 and later await notifiers"),
        ),
    ],
    ids=["callback", "triggerer"],
)
def notify(request: pytest.FixtureRequest, oauth2_connection: Connections) -> Notify:
    oauth2_connection("my_api")
    notify: Notify = request.param
    return notify


@raises
@pytest.mark.fault("F17")
def test_a_connection_that_does_not_exist_is_named(notify: Notify) -> None:
    with pytest.raises(ConnectionNotFoundError, match=r'"my_apo": .* the environment has my_api'):
        notify({}, oauth2_conn_id="my_apo", endpoint="events")


def test_it_calls_the_api_with_the_token(notify: Notify, api: ApiEndpoint) -> None:
    notify({}, endpoint="events", json={"a": 1}, headers={"X-One": "1"})
    (call,) = api.requests
    assert (call.method, call.target, json.loads(call.body)) == ("POST", "/api/events", {"a": 1})
    assert call.headers["authorization"] == "Bearer token-1"
    assert call.headers["x-one"] == "1"


def test_its_arguments_are_templates(notify: Notify, api: ApiEndpoint, oauth2_server: OAuth2Server) -> None:
    notify(
        {"task": "import", "server": oauth2_server.base_url, "connection": "my_api"},
        oauth2_conn_id="{{ connection }}",
        endpoint="events/{{ task }}",
        base_url="{{ server }}/v2",
        data={"failed": "{{ task }}"},
        method="PUT",
    )
    (call,) = api.requests
    assert (call.method, call.target, call.body) == ("PUT", "/api/v2/events/import", b"failed=import")


def test_the_hooks_options_hold(notify: Notify, api: ApiEndpoint) -> None:
    api.respond({}, 500, times=None)
    notify({}, endpoint="x", extra_options={"check_response": False})
    assert len(api.requests) == 1


@raises
def test_a_refusing_api_is_an_error(notify: Notify, api: ApiEndpoint) -> None:
    api.respond({}, 500, times=None)
    with pytest.raises(ResourceError):
        notify({}, endpoint="x")


@raises
def test_a_refused_client_is_told_without_its_secret(
    notify: Notify, api: ApiEndpoint, oauth2_server: OAuth2Server
) -> None:
    oauth2_server.token_endpoint.refuse()
    with pytest.raises(InvalidClientError) as caught:
        notify({}, endpoint="x")
    assert BaseHook.get_connection("my_api").password not in str(caught.value)
    assert not api.requests


def test_http_conn_id_is_another_name() -> None:
    assert OAuth2HttpNotifier(http_conn_id="a").oauth2_conn_id == "a"
    with pytest.raises(ConfigurationError):
        OAuth2HttpNotifier(http_conn_id="a", oauth2_conn_id="b")


def test_making_one_imports_no_hook() -> None:
    """Every DAG file that names it is parsed over and over."""
    program = (
        "import sys; from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier as N;"
        "N(endpoint='x');"
        "print([m for m in sys.modules if m.startswith(('airflow_oauth_provider.hooks', 'aiohttp', 'jwt'))])"
    )
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"
