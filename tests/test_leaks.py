"""No output of a task holds a secret or a token, against a service that repeats both in every spelling."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec
from urllib.parse import quote

import pytest
import requests
from airflow.providers.common.compat.sdk import PokeReturnValue, Stats

from airflow_oauth_provider.auth import OAuth2Auth, bearer_token_callable
from airflow_oauth_provider.authorizations import Target, authorize, check_all, describe, display_settings
from airflow_oauth_provider.client import report
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator, OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.operators.test_authorization_check import Task
from tests.support.confidential import assert_nothing_confidential
from tests.support.echoing import (
    FOREIGN,
    GATE,
    PIN,
    SECRET,
    TOKEN,
    VALUES,
    assert_silent,
    echoing,
    settings_of,
)
from tests.support.leaks import logged, stored_below
from tests.support.servers.scripted import Redirect
from tests.support.service import Service
from tests.support.sides import Side
from tests.triggers.running import event_of, to_the_end
from tests.triggers.watched import watch

try:
    from airflow_oauth_provider.retry_policy import OAuth2RetryPolicy
except Exception:  # AirflowOptionalProviderFeatureException before 3.3
    OAuth2RetryPolicy = None  # type: ignore[assignment,misc]

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F29", "F20", "F04")]


@pytest.fixture(autouse=True)
def outputs(
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[list[Any]]:
    """Collect logs of all loggers, metrics, stored entries and what a test adds; look at them at the end.

    Operators of Airflow log past the loggers of Python, to the standard output.
    """
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
    # What urllib3 itself writes of each address that a server has chosen is not this package's to redact.
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.INFO, "urllib3"):
        yield put_out
    put_out += capsys.readouterr()
    put_out += logged(caplog)
    put_out += stored_below(tmp_path)
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
        log_response=True,
        **{"oauth2_conn_id": "my_api", **more},
    )
    outputs.append(to_the_end(operator("ok", response_filter=response_filter)))
    outputs.append(errors_of(lambda: to_the_end(operator("bad"))))
    wrong, missing = {"json_path": "$.echo[0]", "expected": "done"}, {"json_path": "$.echo[1].none"}
    outputs.append(errors_of(lambda: to_the_end(operator("ok", response_check=wrong))))
    outputs.append(errors_of(lambda: to_the_end(operator("ok", response_check=missing))))
    outputs.append(errors_of(lambda: to_the_end(operator("ok", oauth2_conn_id="refused"))))


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_address_that_an_api_redirects_to(
    service: Service, outputs: list[Any], side: Side, deferrable: bool
) -> None:
    """It may have the token in its path."""
    repeat = service.api
    there = f"/api/bad/{quote(TOKEN, safe='')}"
    service.api = lambda request: Redirect(there) if request.target == "/api/ok" else repeat(request)
    operator = OAuth2HttpOperator(
        task_id="call",
        method="GET",
        endpoint="ok",
        oauth2_conn_id="my_api",
        deferrable=deferrable,
        extra_options={"check_response": False},
        response_check=lambda _: False,
    )
    outputs.append(errors_of(lambda: to_the_end(operator)))
    outputs.append(errors_of(lambda: side.run(OAuth2Hook("my_api", "GET"), "ok")))
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="ok", extra_options={"check_response": False}))
    assert event["response"]["url"].startswith(f"{service.server.url}/api/bad/")
    outputs.append(event)


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
    outputs += watch(service, 3, poll_interval=1, payload_path="$.echo")


def test_the_check(outputs: list[Any]) -> None:
    task = Task()
    operator = OAuth2AuthorizationCheckOperator(
        task_id="check", oauth2_conn_ids=["my_api", "refused"], on_failed="event", asset_alias="checks"
    )
    outputs += [operator.execute(task.context), task.pushed, task.events]


@pytest.mark.parametrize("name", ["introspect", "revoke"])
@pytest.mark.parametrize("presented", [None, FOREIGN], ids=["its-own", "foreign"])
def test_questions_about_a_token(
    service: Service, outputs: list[Any], side: Side, name: str, presented: Any
) -> None:
    hook = OAuth2Hook("my_api")
    side.token(hook)
    about = f"{service.server.url}/about"
    outputs.append(side.call(hook, name, presented, endpoint=about))
    side.token(hook)
    outputs.append(errors_of(lambda: side.call(hook, name, presented, endpoint=f"{about}/refused")))
    # The second time the refusal comes from memory and store.
    outputs.append(errors_of(lambda: side.call(hook, name, FOREIGN, endpoint=f"{about}/refused")))


@pytest.mark.parametrize("deferrable", [False, True])
def test_what_a_sensors_check_puts_into_xcom(outputs: list[Any], deferrable: bool) -> None:
    seen: list[str] = []

    def check(response: Any) -> PokeReturnValue:
        seen.append(response.text)
        return PokeReturnValue(is_done=True, xcom_value={"page": response.text, "all": [response.json()]})

    sensor = OAuth2HttpSensor(
        task_id="wait", oauth2_conn_id="my_api", endpoint="ok", response_check=check, deferrable=deferrable
    )
    result = to_the_end(sensor)
    assert result["all"], "the check has made a result"
    outputs.append(result)
    assert seen


def telling(response: Any) -> Any:
    """A callable of a DAG's that fails, and says of what."""
    error = ValueError(f"cannot read {response.text}", {"body": response.text})
    error.response = response.text  # type: ignore[attr-defined]
    raise error


def no_json(response: Any) -> Any:
    return json.loads(response.text + "?")


def no_python(response: Any) -> Any:
    """Python's errors of what it cannot read show the line."""
    return ast.literal_eval("{" + response.text)


def exiting(response: Any) -> Any:
    return sys.exit(response.text)


FAILING = [
    (telling, ValueError),
    (no_json, json.JSONDecodeError),
    (no_python, (SyntaxError, ValueError)),
    (exiting, SystemExit),
]


class Telling(Mapping[str, Any]):
    """What says what it has read when it is looked at: as a truth value, or as a dict."""

    def __init__(self, response: Any, *, is_page: bool) -> None:
        self._response = response
        self._is_page = is_page

    def __bool__(self) -> bool:
        return self._is_page or bool(telling(self._response))

    def __getitem__(self, name: str) -> Any:
        return telling(self._response)

    __iter__ = __len__ = __getitem__  # type: ignore[assignment]

    def keys(self) -> Any:
        return telling(self._response)


class TestCallablesOfADag:
    """What they raise is their own; what it holds of ours is not."""

    @pytest.mark.parametrize("deferrable", [False, True])
    @pytest.mark.parametrize("name", ["response_check", "response_filter", "pagination_function"])
    @pytest.mark.parametrize("function, kind", FAILING)
    def test_of_the_operator(
        self, outputs: list[Any], deferrable: bool, name: str, function: Any, kind: Any
    ) -> None:
        operator: Any = OAuth2HttpOperator(
            task_id="call",
            method="GET",
            endpoint="ok",
            oauth2_conn_id="my_api",
            deferrable=deferrable,
            **{name: function},
        )
        with pytest.raises(kind) as caught:
            to_the_end(operator)
        assert_nothing_confidential(caught.value, VALUES)
        outputs.append("".join(traceback.format_exception(caught.value)))

    @pytest.mark.parametrize(
        "name, is_page",
        [("response_check", False), ("pagination_function", False), ("pagination_function", True)],
    )
    def test_of_what_they_return(self, outputs: list[Any], name: str, is_page: bool) -> None:
        functions: Any = {name: lambda response: Telling(response, is_page=is_page)}
        operator = OAuth2HttpOperator(
            task_id="call", method="GET", endpoint="ok", oauth2_conn_id="my_api", **functions
        )
        with pytest.raises(ValueError, match=r"\*\*\*|withheld|cannot read") as caught:
            operator.execute({})
        assert_nothing_confidential(caught.value, VALUES)
        outputs.append("".join(traceback.format_exception(caught.value)))

    @pytest.mark.parametrize(
        "deferrable, method", [(False, "GET"), (True, "GET"), (True, "POST")], ids=["worker", "GET", "POST"]
    )
    @pytest.mark.parametrize("name", ["retry", "wait", "before_sleep", "retry_error_callback"])
    def test_of_the_operators_retry_args(
        self, outputs: list[Any], deferrable: bool, method: str, name: str
    ) -> None:
        always: Any = {"retry": lambda _: True, "wait": lambda _: 0, "stop": lambda _: False}
        if name == "retry_error_callback":
            always["stop"] = lambda _: True
        operator = OAuth2HttpOperator(
            task_id="call",
            method=method,
            endpoint="ok",
            oauth2_conn_id="my_api",
            deferrable=deferrable,
            retry_args={**always, name: lambda state: telling(state.outcome.result())},
        )
        with pytest.raises(ValueError, match=r"\*\*\*|withheld|cannot read") as caught:
            to_the_end(operator)
        assert_nothing_confidential(caught.value, VALUES)
        outputs.append("".join(traceback.format_exception(caught.value)))

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_of_the_sensor(self, outputs: list[Any], deferrable: bool) -> None:
        sensor = OAuth2HttpSensor(
            task_id="wait",
            oauth2_conn_id="my_api",
            endpoint="ok",
            response_check=telling,
            deferrable=deferrable,
        )
        with pytest.raises(ValueError, match=r"\*\*\*|withheld|cannot read") as caught:
            to_the_end(sensor)
        assert_nothing_confidential(caught.value, VALUES)
        outputs.append("".join(traceback.format_exception(caught.value)))

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_of_a_sensor_that_fails_silently(self, outputs: list[Any], deferrable: bool) -> None:
        sensor = OAuth2HttpSensor(
            task_id="wait",
            oauth2_conn_id="my_api",
            endpoint="ok",
            response_check=telling,
            silent_fail=True,
            deferrable=deferrable,
            poke_interval=0.05,
            timeout=0.3,
        )
        outputs.append(errors_of(lambda: to_the_end(sensor)))

    def test_what_holds_nothing_is_raised_as_it_is(self) -> None:
        error = LookupError("no page 7")

        def fail(response: Any) -> Any:
            raise error from KeyError("next")

        operator = OAuth2HttpOperator(
            task_id="call", method="GET", endpoint="ok", oauth2_conn_id="my_api", response_filter=fail
        )
        with pytest.raises(LookupError) as caught:
            to_the_end(operator)
        assert caught.value is error
        assert isinstance(caught.value.__cause__, KeyError)
        assert caught.traceback[-1].name == "fail", "with the line that raised it"


def test_what_a_library_raises_in_a_trigger(
    outputs: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def arun(self: OAuth2Hook, *args: Any, **kwargs: Any) -> Any:
        await self.aget_token()
        raise RuntimeError(f"no room for {TOKEN} and {SECRET}", {"all": VALUES})

    monkeypatch.setattr(OAuth2Hook, "arun", arun)
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="ok"))
    assert event == {"status": "error", "error": {"type": "RuntimeError"}}
    outputs.append(event)
    assert "The trigger failed" in caplog.text
    assert "in arun" in caplog.text, "where it was raised"


@pytest.mark.parametrize("endpoint, conn_id", [("ok", "my_api"), ("bad", "my_api"), ("ok", "refused")])
def test_the_notifier(outputs: list[Any], endpoint: str, conn_id: str) -> None:
    def notifier() -> OAuth2HttpNotifier:
        return OAuth2HttpNotifier(oauth2_conn_id=conn_id, endpoint=endpoint, json={"text": "late"})

    with suppress(OAuthError):
        notifier().notify({})
    with suppress(OAuthError):
        asyncio.run(notifier().async_notify({}))
    if (endpoint, conn_id) != ("ok", "my_api"):
        outputs.append(errors_of(lambda: notifier().notify({})))
        outputs.append(errors_of(lambda: asyncio.run(notifier().async_notify({}))))


def test_the_auth_of_requests(service: Service, outputs: list[Any]) -> None:
    def get(conn_id: str, url: str) -> Any:
        return requests.get(url, auth=OAuth2Auth(conn_id), timeout=9)

    assert get("my_api", f"{service.base_url}/ok").ok
    outputs.append(errors_of(lambda: get("my_api", "https://elsewhere.example/")))
    outputs.append(errors_of(lambda: get("refused", f"{service.base_url}/ok")))
    outputs.append(errors_of(bearer_token_callable("refused")))
    outputs += [OAuth2Auth("my_api"), vars(OAuth2Auth("my_api")), bearer_token_callable("my_api")]


def test_what_displays_and_checks_say(service: Service, outputs: list[Any]) -> None:
    for conn_id, scope in (("my_api", "read"), ("refused", "refused")):
        connection = service.connection(conn_id=conn_id, **settings_of(scope=scope))
        for result in (*check_all([Target.of(connection)]), authorize(connection)):
            outputs += [result, result.report(), result.message, result.headline]
        state = describe(connection)
        outputs += [state, state.report(), state.text, display_settings(connection)]


def test_a_secret_in_a_field_for_others(service: Service, outputs: list[Any]) -> None:
    """Whoever enters it there has published it, yet our displays need not repeat it."""
    repeated = {
        "category": SECRET,
        "api_headers": {"X-Key": SECRET},
        "post_params": f"x={PIN}",
        "jwt_claims": {"deep": {"er": [SECRET]}},
        "key_id": GATE,
    }
    connection = service.connection(**settings_of(**repeated))
    connection.description = f"the secret is {SECRET}"
    state = describe(connection)
    outputs += [state, state.report(), display_settings(connection)]


@pytest.mark.skipif(OAuth2RetryPolicy is None, reason="Airflow 3.3 and later")
def test_the_reason_of_a_retry(outputs: list[Any]) -> None:
    for conn_id, endpoint in (("my_api", "bad"), ("refused", "ok")):
        with pytest.raises(OAuthError) as caught:
            OAuth2Hook(conn_id, "GET").run(endpoint)
        outputs.append(OAuth2RetryPolicy().evaluate(caught.value, 1, 3))
