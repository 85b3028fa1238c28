"""Tasks, triggers and the notifier ask for tokens of their own."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.tasks.token_arguments import TOKEN_ARGUMENTS
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger, OAuth2HttpTrigger
from tests.support.servers.scripted import Delay, Json, RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service
from tests.triggers.running import again, event_of, first_event, to_the_end

pytestmark = pytest.mark.airflow
CHOSEN: dict[str, Any] = {
    "scope": ["reports.read", "x"],
    "audience": "https://reports.example",
    "resource": "https://reports.example/a",
    "tenant": "beta",
}
FORM = {
    "scope": ["reports.read x"],
    "audience": ["https://reports.example"],
    "resource": ["https://reports.example/a"],
    "realm": ["beta"],
}


def named_token(request: RecordedRequest) -> ScriptedResponse:
    """Grant a token that says for which scope it is."""
    return Delay(0.05, token_json("tok-" + request.form["scope"][0].replace(" ", "-")))


@pytest.fixture
def named(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    service.token = named_token
    extra = {"post_params": ["realm={tenant}"], "tenant": "acme", "tenants": ["beta"], "scope": "own"}
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**extra))
    return service


def operator(**arguments: Any) -> OAuth2HttpOperator:
    return OAuth2HttpOperator(
        task_id="call", oauth2_conn_id="my_api", method="GET", endpoint="x", **arguments
    )


def sensor(**arguments: Any) -> OAuth2HttpSensor:
    return OAuth2HttpSensor(
        task_id="wait", oauth2_conn_id="my_api", endpoint="x", poke_interval=0.05, timeout=20, **arguments
    )


USES: dict[str, Callable[[], Any]] = {
    "operator": lambda: operator(**CHOSEN).execute({}),
    "operator-deferred": lambda: to_the_end(operator(deferrable=True, **CHOSEN)),
    "sensor": lambda: sensor(**CHOSEN).execute({}),
    "sensor-deferred": lambda: to_the_end(sensor(deferrable=True, **CHOSEN)),
    "trigger": lambda: event_of(OAuth2HttpTrigger("my_api", endpoint="x", **CHOSEN)),
    "watcher": lambda: event_of(OAuth2HttpEventTrigger("my_api", endpoint="x", poll_interval=1, **CHOSEN)),
    "notifier": lambda: OAuth2HttpNotifier(oauth2_conn_id="my_api", method="GET", **CHOSEN).notify({}),
    "notifier-awaited": lambda: asyncio.run(
        OAuth2HttpNotifier(oauth2_conn_id="my_api", method="GET", **CHOSEN).async_notify({})
    ),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_each_way_to_call_asks_for_its_own_token(named: Service, use: Callable[[], Any]) -> None:
    numbers = itertools.count()
    named.api = lambda _: Json({"number": next(numbers)})  # a watcher waits for a change
    use()
    (request,) = named.token_requests
    assert {name: request.form[name] for name in FORM} == FORM
    assert {call.header("Authorization") for call in named.calls} == {"Bearer tok-reports.read-x"}


def test_they_are_templates(named: Service) -> None:
    context = {"params": {"scope": "read", "tenant": "beta"}}
    task = operator(scope=["{{ params.scope }}.all"], tenant="{{ params.tenant }}")
    task.render_template_fields(context)
    task.execute({})
    assert named.calls[0].header("Authorization") == "Bearer tok-read.all"
    assert named.token_requests[0].form["realm"] == ["beta"]
    for made in (OAuth2HttpOperator, OAuth2HttpSensor, OAuth2HttpNotifier):
        assert set(TOKEN_ARGUMENTS) <= set(made.template_fields)


def notifier(**arguments: Any) -> OAuth2HttpNotifier:
    return OAuth2HttpNotifier(oauth2_conn_id="my_api", method="GET", endpoint="x", **arguments)


TASKS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {
    "operator": (partial(operator, fail_fast=False), to_the_end),
    "operator-deferred": (partial(operator, deferrable=True, fail_fast=False), to_the_end),
    "sensor": (partial(sensor, fail_fast=False), to_the_end),
    "sensor-deferred": (partial(sensor, deferrable=True, fail_fast=False), to_the_end),
    "notifier": (notifier, lambda made: made.notify({})),
    "notifier-awaited": (notifier, lambda made: asyncio.run(made.async_notify({}))),
}


def run_for(name: str, conf: dict[str, Any], **chosen: Any) -> None:
    """Do what Airflow does with a task, or a notifier, of a DAG run."""
    make, run = TASKS[name]
    task = make(**chosen)
    task.render_template_fields({"dag": None, "dag_run": SimpleNamespace(conf=conf)})
    run(task)


@pytest.mark.parametrize("name", TASKS)
def test_what_a_dag_run_asks_for_is_asked_for(named: Service, name: str) -> None:
    conf = {"tenant": "beta", "scope": "x y", "audience": "https://a.example", "resource": "urn:r"}
    run_for(name, conf, **{argument: f"{{{{ dag_run.conf['{argument}'] }}}}" for argument in conf})
    form = named.token_requests[0].form
    asked = {argument: form["realm" if argument == "tenant" else argument] for argument in conf}
    assert asked == {argument: [value] for argument, value in conf.items()}


HOSTILE = {
    "another": "gamma",
    "a host": "evil.example/",
    "labels": "a.b",
    "nothing": "",
    "another spelling": "Beta",
    "a line at its end": "acme\n",
    "a port": "beta:1",
    "userinfo": "x@beta",
    "an escape": "%62eta",
    "a line": "beta\nHost: evil.example",
    "blanks": " beta",
    "a template": "{{ conn.my_api.password }}",
    "a placeholder": "{tenant}",
    "a number": 7,
    "a list": ["beta"],
    "an object": {"tenant": "beta"},
    "no text": None,
    "long": "b" * 64,
    "not ASCII": "b\u0435ta",
}


@pytest.mark.parametrize("tenant", HOSTILE.values(), ids=HOSTILE)
def test_a_tenant_of_a_dag_run_cannot_lead_elsewhere(named: Service, tenant: Any) -> None:
    for name in TASKS:
        with pytest.raises(ConfigurationError) as refused:
            run_for(name, {"tenant": tenant}, tenant="{{ dag_run.conf.tenant }}")
        assert (refused.value.field, refused.value.conn_id) == ("tenant", "my_api"), name
    assert named.server.requests == []


@pytest.mark.parametrize("tenant", [7, ["beta"], {"tenant": "beta"}, 1.5, True])
def test_nor_one_that_is_no_text(named: Service, tenant: Any) -> None:
    """As templates that are rendered to native objects make it."""
    for name in TASKS:
        with pytest.raises(ConfigurationError) as refused:
            run_for(name, {}, tenant=tenant)
        assert (refused.value.field, refused.value.conn_id) == ("tenant", "my_api"), name
    assert named.server.requests == []


@pytest.mark.parametrize(
    "scope", ["a\x00b", "a\nb", "a\tb", "a\x7f", "a\x1b[31m", "a\u2028b", 'a"b', "a\\b", "\u00e4"]
)
def test_a_scope_with_control_characters_is_refused(named: Service, scope: str) -> None:
    template = "{{ dag_run.conf.scope }}"
    for name, chosen in itertools.product(TASKS, (template, ["read", template])):
        with pytest.raises(ConfigurationError) as refused:
            run_for(name, {"scope": scope}, scope=chosen)
        assert (refused.value.field, refused.value.conn_id) == ("scope", "my_api"), name
        assert str(refused.value).isprintable()
    assert named.server.requests == []


def test_triggers_of_one_loop_share_only_with_their_like(named: Service) -> None:
    async def run(number: int) -> tuple[str, str]:
        scope = f"s{number % 5}"
        trigger = OAuth2HttpTrigger("my_api", endpoint="x", scope=scope)
        event = await first_event(again(trigger))
        return scope, json.dumps(event)

    async def everything() -> list[tuple[str, str]]:
        return await asyncio.gather(*map(run, range(100)))

    results = asyncio.run(everything())
    assert len(named.token_requests) == 5
    sent = sorted(call.header("Authorization") or "" for call in named.calls)
    assert sent == sorted(f"Bearer tok-{scope}" for scope, _ in results)
