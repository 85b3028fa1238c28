"""Arguments that cannot be meant: refused by name when the object is made, templated ones once rendered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tenacity
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.triggers.oauth2 import (
    OAuth2HttpEventTrigger,
    OAuth2HttpSensorTrigger,
    OAuth2HttpTrigger,
)
from tests.support.service import Service

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F48")]
Make = Callable[..., Any]


def operator(**arguments: Any) -> OAuth2HttpOperator:
    return OAuth2HttpOperator(task_id="x", **{"oauth2_conn_id": "my_api", "endpoint": "x", **arguments})


def sensor(**arguments: Any) -> OAuth2HttpSensor:
    return OAuth2HttpSensor(task_id="x", **{"oauth2_conn_id": "my_api", "endpoint": "x", **arguments})


def call_trigger(**arguments: Any) -> OAuth2HttpTrigger:
    return OAuth2HttpTrigger("my_api", **{"endpoint": "x", "method": "PUT", **arguments})


def sensor_trigger(**arguments: Any) -> OAuth2HttpSensorTrigger:
    return OAuth2HttpSensorTrigger("my_api", **{"endpoint": "x", **arguments})


def event_trigger(**arguments: Any) -> OAuth2HttpEventTrigger:
    return OAuth2HttpEventTrigger("my_api", **{"endpoint": "x", **arguments})


def notifier(**arguments: Any) -> OAuth2HttpNotifier:
    return OAuth2HttpNotifier(oauth2_conn_id="my_api", **{"endpoint": "x", **arguments})


ALL = [operator, sensor, call_trigger, sensor_trigger, event_trigger, notifier]
TRIGGERS = [call_trigger, sensor_trigger, event_trigger]
TASKS = [operator, sensor]
cases = pytest.mark.parametrize


def refused(make: Make, **arguments: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        make(**arguments)
    assert caught.value.conn_id == "my_api"
    return caught.value


@cases("make", ALL)
def test_a_wrong_name_is_refused(make: Make) -> None:
    with pytest.raises(TypeError, match="endpont"):
        make(endpont="x")


@cases("make", ALL)
@cases("method", ["GTE", "", "GET ", "TRACE", 3, None, b"GET"])
def test_methods(make: Make, method: Any) -> None:
    error = refused(make, method=method)
    assert error.field == "method"
    assert ("did you mean GET?" in str(error)) == (method in ("GTE", "GET "))


@cases("method", ["GET", "get", "PATCH", "PROPFIND", "QUERY", "PURGE"])
def test_methods_that_an_api_may_have(method: str) -> None:
    assert operator(method=method).method == method


@cases("make", [operator, sensor, *TRIGGERS])
@cases(
    "options",
    [
        {"timeot": 5},
        {"headers": {}},
        {1: 2},
        [("timeout", 5)],
        "timeout",
        {"check_response": "False"},
        {"allow_redirects": 0},
        {"stream": None},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": "5"},
        {"timeout": (5, 0)},
        {"timeout": (5, 5, 5)},
        {"timeout": True},
        {"timeout": float("inf")},
        {"timeout": (5, 1e12)},
        {"total_timeout": float("inf")},
        {"total_timeout": 0},
        {"total_timeout": (5, 5)},
    ],
    ids=str,
)
def test_extra_options(make: Make, options: Any) -> None:
    assert refused(make, extra_options=options).field == "extra_options"


@cases("make", [operator, sensor, *TRIGGERS])
def test_extra_options_that_are_known(make: Make) -> None:
    known = {"timeout": (3, 60.5), "check_response": False, "allow_redirects": True, "verify": "/ca.pem"}
    make(extra_options=known)
    make(extra_options={"timeout": None, "proxies": {"https": "http://proxy.example"}, "total_timeout": 9})
    make(headers={"Accept": None, "X-One": "1"})


@cases("make", [operator, sensor, *TRIGGERS])
@cases(
    "request_kwargs",
    [{"parms": {}}, {"headers": {}}, {"data": "x"}, {"auth": ("a", "b")}, [1], "json"],
    ids=str,
)
def test_request_kwargs(make: Make, request_kwargs: Any) -> None:
    assert refused(make, request_kwargs=request_kwargs).field == "request_kwargs"


@cases("make", [operator, sensor, *TRIGGERS])
def test_another_authentication(make: Make) -> None:
    assert "leave auth out" in str(refused(make, request_kwargs={"auth": ("a", "b")}))


class TestOneBody:
    """``json`` or ``data``, wherever each is given."""

    @cases("make", [operator, notifier])
    def test_both(self, make: Make) -> None:
        assert refused(make, json={"a": 1}, data={"b": 2}).field == "json"
        assert refused(make, json=0, data="text", method="PUT").field == "json"

    @cases("make", [operator, sensor, call_trigger])
    def test_one_in_request_kwargs(self, make: Make) -> None:
        body = "request_params" if make is sensor else "data"
        given = {body: "text", "request_kwargs": {"json": {}}, "method": "PUT"}
        assert refused(make, **given).field == "json"

    def test_json_twice(self) -> None:
        assert refused(operator, json={}, request_kwargs={"json": {}}).field == "json"

    @cases("make", [operator, notifier])
    def test_of_get_data_are_the_query(self, make: Make) -> None:
        make(method="GET", json={"a": 1}, data={"b": 2})

    def test_rendered_to_both(self, service: Service) -> None:
        task = operator(json={"a": 1})
        task.data = {"b": 2}
        with pytest.raises(AirflowFailException) as caught:
            task.execute({})
        assert isinstance(caught.value.__cause__, ConfigurationError)


@cases("make", TASKS)
@cases(
    "name, value",
    [
        ("response_check", "done"),
        ("response_check", 1),
        ("response_headers", ["Set-Cookie"]),
        ("response_headers", [1]),
        ("max_event_body", -1),
        ("max_event_body", 1.5),
        ("max_event_body", "1"),
        ("deferrable", "False"),
        ("fail_fast", 0),
        ("tcp_keep_alive", "no"),
        ("tcp_keep_alive_idle", 0),
        ("tcp_keep_alive_count", 1.5),
        ("tcp_keep_alive_interval", -1),
    ],
)
def test_of_operator_and_sensor(make: Make, name: str, value: Any) -> None:
    assert refused(make, **{name: value}).field == name


@cases(
    "name, value",
    [
        ("pagination_function", "next"),
        ("response_filter", "json"),
        ("log_response", "yes"),
        ("retry_args", {"attempts": 3}),
        ("auth_type", object),
    ],
)
def test_of_the_operator(name: str, value: Any) -> None:
    assert refused(operator, **{name: value}).field == name


def test_a_declared_check_looks_at_one_response() -> None:
    check = ResponseCheck(status=200)
    assert refused(operator, response_check=check, pagination_function=print).field == "response_check"


@cases(
    "name, value",
    [
        ("poke_interval", -1),
        ("poke_interval", "60"),
        ("poke_interval", None),
        ("poke_interval", float("nan")),
        ("poke_interval", float("inf")),
        ("timeout", 10**400),
        ("poke_interval", timedelta(seconds=-1)),
        ("timeout", -1),
        ("timeout", True),
        ("max_wait", timedelta(days=-1)),
        ("max_consecutive_failures", 0),
        ("max_consecutive_failures", 2.5),
        ("response_error_codes_allowlist", ["not found"]),
        ("response_error_codes_allowlist", "404"),
        ("response_error_codes_allowlist", [4]),
        ("response_error_codes_allowlist", 404),
        ("deferrable", 1),
    ],
)
def test_of_the_sensor(name: str, value: Any) -> None:
    assert refused(sensor, **{name: value}).field == name


@cases("value", [5, 0.5, timedelta(minutes=1)])
def test_durations(value: Any) -> None:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    made = sensor(poke_interval=value, timeout=value, max_wait=value)
    assert (made.poke_interval, made.timeout) == (seconds, seconds)


@cases(
    "name, value",
    [
        ("poke_interval", -1),
        ("max_wait", -0.1),
        ("ends_at", "now"),
        ("not_before", []),
        ("backoff_since", -5),
        ("max_consecutive_failures", 0),
        ("response_error_codes_allowlist", ["x"]),
        ("progress", {}),
    ],
)
def test_of_the_sensors_trigger(name: str, value: Any) -> None:
    assert refused(sensor_trigger, **{name: value}).field == name


@cases("name, value", [("poll_interval", 0.5), ("poll_interval", "60"), ("response_check", "done")])
def test_of_the_watcher(name: str, value: Any) -> None:
    assert refused(event_trigger, **{name: value}).field == name


@cases("make", TRIGGERS)
@cases(
    "name, value",
    [("endpoint", 1), ("base_url", ["https://api.example"]), ("headers", {"X-Page": 1}), ("headers", ["a"])],
)
def test_the_call_of_triggers(make: Make, name: str, value: Any) -> None:
    assert refused(make, **{name: value}).field == name


class TestTemplates:
    """What they are rendered to is checked before anything is sent."""

    @cases("make", TASKS)
    @cases("deferrable", [False, True])
    @cases(
        "name, value",
        [
            ("endpoint", 1),
            ("base_url", {}),
            ("oauth2_conn_id", None),
            ("oauth2_conn_id", ""),
            ("headers", "X-One: 1"),
            ("headers", {"X-Page": 1}),
        ],
    )
    def test_refused(
        self, service: Service, make: Make, deferrable: bool, name: str, value: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        task = make(method="GET", deferrable=deferrable)
        setattr(task, name, value)
        with pytest.raises(AirflowFailException) as caught:
            task.execute({})
        assert isinstance(caught.value.__cause__, ConfigurationError)
        assert caught.value.__cause__.field == name
        assert service.server.requests == []

    @cases("make", TASKS)
    def test_templates_themselves_pass(self, make: Make) -> None:
        make(endpoint="{{ x }}", base_url="{{ x }}", headers="{{ x }}", oauth2_conn_id="{{ x }}")

    def test_of_the_notifier(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        made = notifier(extra_options={"timeot": 1})
        with pytest.raises(ConfigurationError) as caught:
            made.notify({})
        assert caught.value.field == "extra_options"


def test_a_trigger_takes_again_what_it_serialises() -> None:
    made = call_trigger(extra_options={"timeout": (1, 2)})
    _, arguments = made.serialize()
    again = OAuth2HttpTrigger(**{**arguments, "extra_options": {"timeout": [1, 2]}})
    assert again.call.extra_options == {"timeout": (1, 2)}


def test_arguments_of_tenacity_are_taken(service: Service) -> None:
    with pytest.raises(TaskDeferred):
        operator(method="GET", deferrable=True, retry_args={"stop": tenacity.stop_after_attempt(2)}).execute(
            {}
        )
