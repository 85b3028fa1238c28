"""A connection of another type is refused wherever a connection is named; its password goes nowhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_oauth_provider.auth import OAuth2Auth, bearer_token_callable
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.support.servers.scripted import ScriptedServer
from tests.triggers.running import event_of

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F60")]

USES: dict[str, Callable[[str], Any]] = {
    "hook": lambda url: OAuth2Hook("db", method="GET").run(url),
    "hook-token": lambda _: OAuth2Hook(oauth2_conn_id="db").get_token(),
    "hook-async": lambda url: asyncio.run(OAuth2Hook("db", method="GET").arun(url)),
    "operator": lambda url: OAuth2HttpOperator(
        task_id="call", oauth2_conn_id="db", base_url=url, endpoint="x"
    ).execute({}),
    "sensor": lambda url: OAuth2HttpSensor(
        task_id="wait", oauth2_conn_id="db", base_url=url, endpoint="x", timeout=5
    ).execute({}),
    "requests": lambda url: requests.get(url, auth=OAuth2Auth("db", base_url=url), timeout=5),
    "callable": lambda _: bearer_token_callable("db")(),
}


@pytest.mark.parametrize("kind", ["postgres", "http", "oauth2_client_credentials_2", None])
@pytest.mark.parametrize("use", USES)
def test_it_is_refused_before_any_request(
    use: str, kind: str | None, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(scripted, kind, monkeypatch)
    with pytest.raises((ConfigurationError, AirflowFailException)) as caught:
        USES[use](scripted.url)
    error = caught.value
    if isinstance(error, AirflowFailException):
        assert isinstance(error.__cause__, ConfigurationError)
        error = error.__cause__
    assert isinstance(error, ConfigurationError)
    assert (error.field, error.conn_id) == ("conn_type", "db")
    assert "the-password-of-it" not in str(error)
    assert scripted.requests == []


def test_a_trigger_reports_it(scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    _store(scripted, "postgres", monkeypatch)
    event = event_of(OAuth2HttpTrigger("db", endpoint="x", base_url=scripted.url))
    assert event["status"] == "error"
    assert "conn_type" in str(event)
    assert scripted.requests == []


def _store(server: ScriptedServer, kind: str | None, monkeypatch: pytest.MonkeyPatch) -> None:

    values = {"conn_type": kind, "host": f"{server.url}/", "login": "admin", "password": "the-password-of-it"}
    content = json.dumps({name: value for name, value in values.items() if value})
    monkeypatch.setenv("AIRFLOW_CONN_DB", content)
