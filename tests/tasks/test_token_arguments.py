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


@pytest.mark.parametrize("tenant", ["gamma", "evil.example/", "a.b", "", "acme\n", "{tenant}", "Beta"])
@pytest.mark.parametrize("name", TASKS)
def test_a_tenant_of_a_dag_run_cannot_lead_elsewhere(named: Service, tenant: str, name: str) -> None:
    make, run = TASKS[name]
    task = make(tenant="{{ dag_run.conf['tenant'] }}")
    task.render_template_fields({"dag_run": SimpleNamespace(conf={"tenant": tenant})})
    assert task.tenant == tenant
    with pytest.raises(ConfigurationError) as refused:
        run(task)
    assert refused.value.field == "tenant"
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
