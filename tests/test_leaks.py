"""No output of a task holds a secret or a token, against a service that repeats both in every spelling."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from airflow.providers.common.compat.sdk import Stats

from airflow_oauth_provider.client import report
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator, OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.operators.test_authorization_check import Task
from tests.support.confidential import assert_nothing_confidential
from tests.support.echoing import VALUES, assert_silent, echoing, settings_of
from tests.support.service import Service
from tests.support.sides import Side
from tests.triggers.running import event_of, to_the_end
from tests.triggers.watched import watch

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F29", "F20", "F04")]


@pytest.fixture(autouse=True)
def outputs(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[list[Any]]:
    """Collect logs of all loggers, metrics, stored entries and what a test adds; look at them at the end."""
    put_out: list[Any] = []
    for name in ("incr", "timing"):
        collect: Any = lambda *args, **kwargs: put_out.append((args, kwargs))  # noqa: E731
        monkeypatch.setattr(Stats, name, create_autospec(getattr(Stats, name), side_effect=collect))
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    report.reset()
    echoing(service)
    for conn_id, scope in (("my_api", "read"), ("refused", "refused")):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", service.environment(**settings_of(scope=scope)))
    with caplog.at_level(logging.DEBUG):
        yield put_out
    put_out += [f"{record.getMessage()} {record.__dict__} {record.exc_text}" for record in caplog.records]
    put_out += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert_silent(put_out)


def errors_of(call: Callable[[], Any]) -> str:
    with pytest.raises(Exception) as caught:
        call()
    for link in (caught.value, caught.value.__cause__):
        if isinstance(link, OAuthError):
            assert_nothing_confidential(link, VALUES)
    return repr(caught.value) + str(caught.value)


def test_the_hook(outputs: list[Any], side: Side) -> None:
    hook = OAuth2Hook("my_api", "GET")
    side.run(hook, "ok")
    outputs += [errors_of(lambda: side.run(hook, "bad")), side.token(hook), hook, hook.get_token()]
    outputs.append(errors_of(lambda: side.run(OAuth2Hook("refused", "GET"), "ok")))


@pytest.mark.parametrize("conn_id", ["my_api", "refused"])
def test_the_test_message(outputs: list[Any], conn_id: str) -> None:
    outputs.append(OAuth2Hook(conn_id).test_connection())


FILTERS: list[Any] = [None, lambda r: r.json(), lambda r: (r.content, dict(r.headers), r.reason, r.text)]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("response_filter", FILTERS, ids=["text", "json", "all"])
def test_the_operator(outputs: list[Any], deferrable: bool, response_filter: Any) -> None:
    operator: Callable[..., Any] = lambda endpoint, **more: OAuth2HttpOperator(  # noqa: E731
        task_id="call",
        method="GET",
        endpoint=endpoint,
        deferrable=deferrable,
        **{"oauth2_conn_id": "my_api", **more},
    )
    outputs.append(to_the_end(operator("ok", response_filter=response_filter)))
    outputs.append(errors_of(lambda: to_the_end(operator("bad"))))
    outputs.append(errors_of(lambda: to_the_end(operator("ok", oauth2_conn_id="refused"))))


@pytest.mark.parametrize("conn_id, endpoint", [("my_api", "ok"), ("my_api", "bad"), ("refused", "ok")])
def test_a_triggers_event(outputs: list[Any], conn_id: str, endpoint: str) -> None:
    event = event_of(OAuth2HttpTrigger(conn_id, endpoint=endpoint, response_headers=["etag", "link"]))
    outputs.append(event)
    outputs.append(base64.b64decode(event.get("response", {}).get("content") or ""))


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_sensor(outputs: list[Any], deferrable: bool) -> None:
    def sensor(**arguments: Any) -> Any:
        given = {
            "oauth2_conn_id": "my_api",
            "endpoint": "ok",
            "poke_interval": 0.05,
            "timeout": 1,
            **arguments,
        }
        return OAuth2HttpSensor(task_id="wait", deferrable=deferrable, **given)

    done = ResponseCheck(json_path="state", expected="done")
    outputs.append(to_the_end(sensor(response_check=done)))
    never = ResponseCheck(json_path="echo", expected="done")
    outputs.append(errors_of(lambda: to_the_end(sensor(response_check=never))))
    outputs.append(errors_of(lambda: to_the_end(sensor(endpoint="bad"))))
    outputs.append(errors_of(lambda: to_the_end(sensor(oauth2_conn_id="refused"))))


def test_the_event_trigger(service: Service, outputs: list[Any]) -> None:
    outputs += watch(service, 3, payload_path="$.echo")


def test_the_check(outputs: list[Any]) -> None:
    task = Task()
    operator = OAuth2AuthorizationCheckOperator(
        task_id="check", oauth2_conn_ids=["my_api", "refused"], on_failed="event", asset_alias="checks"
    )
    outputs += [operator.execute(task.context), task.pushed, task.events]
