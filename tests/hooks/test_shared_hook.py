"""What the triggers of one event loop have in common, and what not."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.client import reading as client
from airflow_oauth_provider.hooks import shared_hook
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger, OAuth2HttpTrigger
from tests.support.servers.scripted import Json, ScriptedResponse
from tests.support.service import RecordedRequest, Service, echo
from tests.support.waiting import auntil
from tests.triggers.running import again, first_event

pytestmark = [pytest.mark.airflow]


@pytest.fixture(autouse=True)
def reads(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each time a connection is read for a coroutine."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    conn_ids: list[str] = []
    read: Callable[[str], Any] = client.aget_connection

    async def counted(conn_id: str) -> Any:
        conn_ids.append(conn_id)
        return await read(conn_id)

    monkeypatch.setattr(client, "aget_connection", counted)
    return conn_ids


def alone(work: Callable[[], Any]) -> Any:
    """Run *work* in a loop in which nothing may be left."""

    async def run() -> Any:
        result = await work()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert shared_hook._hooks[asyncio.get_running_loop()] == {}
        return result

    result = asyncio.run(run())
    gc.collect()  # an unclosed session would complain now
    return result


def call(endpoint: str, **arguments: Any) -> Any:
    return first_event(again(OAuth2HttpTrigger("my_api", endpoint=endpoint, **arguments)))


def test_a_thousand_triggers_read_and_ask_once(
    service: Service, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "FRESH_READ", 600.0)  # a busy machine may need longer than a second

    async def thousand() -> Any:
        return await asyncio.gather(*(call(f"items/{number}") for number in range(1000)))

    events = alone(thousand)
    assert {event["status"] for event in events} == {"success"}
    assert sorted(call.target for call in service.calls) == sorted(f"/api/items/{n}" for n in range(1000))
    assert (len(reads), len(service.token_requests)) == (1, 1)
    assert len({call.connection for call in service.calls}) <= 100


def test_who_comes_later_finds_an_edited_connection(
    service: Service, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although another trigger has been using the hook all the while."""
    monkeypatch.setattr(client, "FRESH_READ", 0.05)
    service.api = lambda request: Json({}, 404) if request.target == "/api/waits" else echo(request)

    async def later() -> None:
        polling = asyncio.create_task(
            first_event(OAuth2HttpSensorTrigger("my_api", endpoint="waits", poke_interval=0.1))
        )
        assert (await call("a"))["status"] == "success"
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(api_headers={"X-New": "1"}))
        await asyncio.sleep(0.1)
        assert (await call("b"))["status"] == "success"
        monkeypatch.delenv("AIRFLOW_CONN_MY_API")
        await asyncio.sleep(0.1)
        assert (await call("c"))["error"]["type"] == "ConnectionNotFoundError"
        before = len(service.calls)
        while len(service.calls) < before + 2:  # noqa: ASYNC110  (the server counts in a thread)
            await asyncio.sleep(0.02)
        assert not polling.done(), "the one under way goes on"
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)

    alone(later)
    assert len(reads) >= 3
    headers = {request.target: request.header("X-New") for request in service.calls}
    assert (headers["/api/a"], headers["/api/b"]) == (None, "1")


def test_cookies_are_a_triggers_own_and_last_for_one_call(service: Service) -> None:
    def api(request: RecordedRequest) -> ScriptedResponse:
        if request.target == "/api/begin":
            return Json({}, 302, [("Location", "/api/end"), ("Set-Cookie", "step=1; Path=/")])
        return Json({"cookie": request.header("Cookie")}, headers=[("Set-Cookie", "mine=2; Path=/")])

    service.api = api

    def polls() -> list[RecordedRequest]:
        return [request for request in service.calls if request.target == "/api/x"]

    async def both() -> None:
        waiting = asyncio.create_task(  # so that the hook stays
            first_event(
                OAuth2HttpSensorTrigger(
                    "my_api",
                    endpoint="x",
                    poke_interval=0.1,
                    response_check={"json_path": "never", "expected": 1},
                )
            )
        )
        assert (await call("begin", headers={"X-One": "1"}))["status"] == "success"
        assert (await call("other"))["status"] == "success"
        await auntil(lambda: len(polls()) >= 2, "two polls")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    alone(both)
    sent = {request.target: request.header("Cookie") for request in service.calls}
    assert sent["/api/end"] == "step=1"
    assert sent["/api/other"] is None
    assert {request.header("Cookie") for request in polls()} == {None}


def test_different_connections_and_addresses_have_different_hooks(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = json.loads(service.environment(api_headers={"X-Who": "other"}))
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(other))

    async def both() -> None:
        await asyncio.gather(
            call("a"),
            first_event(OAuth2HttpTrigger("other", endpoint="b")),
            first_event(OAuth2HttpTrigger("my_api", endpoint="c", base_url=f"{service.base_url}/deep")),
            first_event(OAuth2HttpTrigger("my_api", endpoint="d", method="DELETE")),
        )

    alone(both)
    calls = {(request.method, request.target, request.header("X-Who")) for request in service.calls}
    assert calls == {
        ("GET", "/api/a", None),
        ("GET", "/api/b", "other"),
        ("GET", "/api/deep/c", None),
        ("DELETE", "/api/d", None),
    }
    assert len(service.token_requests) == 1, "equal settings share a token, whatever they are called"
