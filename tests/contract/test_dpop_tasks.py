"""DPoP through what DAGs use: operators, sensors, triggers, pages, the notifier, sessions of a hook."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse
from tests.triggers.running import event_of, to_the_end
from tests.triggers.watched import watch

pytestmark = pytest.mark.airflow


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[DpopService]:
    """One whose nonces change with every response."""
    with running_dpop_service() as running:
        running.issuing.changes = running.serving.changes = True
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", running.environment())
        yield running


@pytest.fixture(autouse=True)
def _nothing_else_is_refused(service: DpopService) -> Iterator[None]:
    yield
    assert service.refused() == ["use_dpop_nonce"] * 2, "one of each server"


def next_page(response: Any) -> dict[str, Any] | None:
    following = response.json()["next"]
    return {"data": {"page": following}} if following else None


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_operator_with_pages(service: DpopService, deferrable: bool) -> None:
    def api(request: RecordedRequest) -> ScriptedResponse:
        number = int(request.target.rpartition("=")[2]) if "=" in request.target else 1
        return Json({"page": number, "next": number + 1 if number < 3 else None})

    service.api = api
    operator = OAuth2HttpOperator(
        task_id="pages",
        oauth2_conn_id="my_api",
        method="GET",
        endpoint="orders",
        pagination_function=next_page,
        response_filter=lambda responses: [response.json()["page"] for response in responses],
        deferrable=deferrable,
    )
    assert to_the_end(operator) == [1, 2, 3]
    assert len(service.token_requests) == 2, "one for the nonce"


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_sensor(service: DpopService, deferrable: bool) -> None:
    states = iter(["running", "running", "done"])
    service.api = lambda _: Json({"state": next(states)})
    sensor = OAuth2HttpSensor(
        task_id="wait",
        oauth2_conn_id="my_api",
        endpoint="job",
        response_check=ResponseCheck(json_path="state", expected="done"),
        poke_interval=0.05,
        timeout=20,
        deferrable=deferrable,
    )
    to_the_end(sensor)
    assert len(service.calls) == 4


def test_a_trigger(service: DpopService) -> None:
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="orders"))
    assert event["status"] == "success"
    assert "bound-tok" not in str(event)


def test_the_event_trigger(service: DpopService) -> None:
    reports = iter(range(100))
    service.api = lambda _: Json({"report": next(reports)})
    assert watch(service, 4, poll_interval=1)


def test_the_notifier(service: DpopService) -> None:
    OAuth2HttpNotifier(oauth2_conn_id="my_api", endpoint="hook", data="{}")({"dag": None})
    assert service.calls[-1].method == "POST"


def test_a_session_of_requests(service: DpopService) -> None:
    with OAuth2Hook("my_api").get_conn() as session:
        for _ in range(3):
            assert session.get(f"{service.base_url}/x").status_code == 200
        assert session.post(f"{service.base_url}/x", json={}).status_code == 200
        prepared = session.prepare_request(requests.Request("GET", f"{service.base_url}/x"))
        for _ in range(3):
            assert session.send(prepared).status_code == 200


def test_auth_of_a_hook(service: DpopService) -> None:
    auth = OAuth2Hook("my_api").auth
    assert requests.get(f"{service.base_url}/x", auth=auth, timeout=5).status_code == 200


def test_a_session_of_aiohttp(service: DpopService) -> None:
    async def call() -> list[int]:
        async with OAuth2Hook("my_api").asession() as session:
            statuses = []
            for _ in range(3):
                async with session.get("orders") as response:
                    await response.read()
                    statuses.append(response.status)
            return statuses

    assert asyncio.run(call()) == [200, 200, 200]
