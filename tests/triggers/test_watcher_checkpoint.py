"""What a watcher remembers: across restarts, beside other watchers, and with a store that fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger
from tests.support.servers.scripted import Json, ScriptedResponse, Text
from tests.support.service import RecordedRequest, Service
from tests.triggers.running import again
from tests.triggers.watched import DONE, SECRET, Store, states, versions, watch

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("my_api", "pauses")]


def test_after_a_restart_nothing_is_told_twice_and_nothing_missed(service: Service) -> None:
    store = Store()
    service.api = versions(('"1"', "a"), ('"2"', "b"))
    assert len(watch(service, 4, store)) == 1
    assert watch(service, len(service.calls) + 3, store) == []
    service.api = versions(('"3"', "c"))
    assert [event["etag"] for event in watch(service, len(service.calls) + 3, store)] == ['"3"']


def test_after_a_restart_what_was_seen_in_between_counts(service: Service) -> None:
    store = Store()
    service.api = states("done", "running")
    assert len(watch(service, 4, store, response_check=DONE)) == 1
    service.api = states("done")
    assert len(watch(service, len(service.calls) + 3, store, response_check=DONE)) == 1
    assert watch(service, len(service.calls) + 3, store, response_check=DONE) == []


def test_watchers_of_one_asset_remember_each_for_itself(service: Service) -> None:
    store = Store()
    service.api = lambda request: Text(200, "", headers=[("ETag", f'"{request.target}"')])
    others: list[dict[str, Any]] = [
        {"endpoint": "one"},
        {"endpoint": "two"},
        {"endpoint": "one", "data": {"a": "b"}},
    ]
    for _ in range(2):
        for other in others:
            assert watch(service, len(service.calls) + 2, store, **other) == []
    assert len(store.held) == len(others)
    check = {"endpoint": "one", "response_check": {"status": 200}}
    assert len(watch(service, len(service.calls) + 2, store, **check)) == 1
    assert len(store.held) == len(others) + 1
    assert watch(service, len(service.calls) + 2, store, poll_interval=61, **check) == []


def test_it_remembers_only_after_telling(service: Service) -> None:
    """An event that Airflow did not take is told again."""
    service.api = versions(('"1"', "a"), ('"2"', "b"))
    store = Store()

    async def stopped_at_the_event() -> str:
        trigger = again(OAuth2HttpEventTrigger("my_api", endpoint="report", poll_interval=60))
        trigger.asset_state_store = store
        async for event in trigger.run():
            return str(event.payload["etag"])
        return ""

    assert asyncio.run(stopped_at_the_event()) == '"2"'
    assert [event["etag"] for event in watch(service, len(service.calls) + 3, store)] == ['"2"']
    assert watch(service, len(service.calls) + 3, store) == []


@pytest.mark.parametrize("failing", [["aget"], ["aset"], ["aget", "aset"]])
def test_a_store_that_fails_does_not_end_it(
    service: Service, logged: Callable[[], str], failing: list[str]
) -> None:
    store = Store(failing=failing)
    service.api = states("a", "b", "b", "c")
    events = watch(service, 6, store, payload_path="state")
    assert [event["payload"] for event in events] == ["b", "c"]
    log = logged()
    assert "RuntimeError" in log
    assert SECRET not in log


def test_what_could_not_be_kept_is_kept_later(service: Service) -> None:
    failing = ["aset"]
    store = Store(failing=failing)

    def serve(_: RecordedRequest) -> ScriptedResponse:
        if len(service.calls) == 4:
            failing.clear()
        return Text(200, "a" if len(service.calls) < 2 else "b")

    service.api = serve
    assert len(watch(service, 6, store)) == 1
    assert store.held
    assert watch(service, len(service.calls) + 3, store) == []


def test_of_a_watcher_of_several_assets_nothing_is_kept(service: Service, logged: Callable[[], str]) -> None:
    store = Store(ValueError("Task has 2 concrete inlets"), failing=["aget", "aset"])
    service.api = states("a", "b")
    assert len(watch(service, 6, store)) == 1
    assert store.tried == ["aget", "aset", "aset"], "once for each that was seen"
    assert "[error" not in logged()


@pytest.mark.parametrize("held", ["a text", 1, {"identity": 1}, {}, []])
def test_a_state_of_somebody_elses_is_none(service: Service, held: Any) -> None:
    store = Store()
    service.api = states("a")
    watch(service, 2, store)
    store.held = dict.fromkeys(store.held, json.dumps(held))
    assert watch(service, len(service.calls) + 2, store) == []


def test_after_a_restart_a_cursor_goes_on(service: Service) -> None:
    def serve(request: RecordedRequest) -> ScriptedResponse:
        since = int(request.target.partition("since=")[2] or 0)
        return Json({"next": min(since + 10, 30)})

    service.api = serve
    store, cursor = Store(), {"json_path": "$.next", "param": "since"}
    assert OAuth2HttpEventTrigger("my_api", cursor=cursor).shared_stream_key() is None
    assert [event["cursor"] for event in watch(service, 5, store, cursor=cursor)] == [20, 30]
    before = len(service.calls)
    assert watch(service, before + 3, store, cursor=cursor) == []
    assert {call.target for call in service.calls[before:]} == {"/api/report?since=30"}


def test_a_cursor_that_repeats_a_secret_is_sent_and_not_kept(service: Service) -> None:
    service.api = lambda request: Json({"next": request.header("Authorization")})
    store = Store()
    arguments = {"cursor": {"json_path": "$.next", "param": "since"}, "response_check": {"status": 200}}
    events = watch(service, 3, store, **arguments)
    assert [event["cursor"] for event in events] == ["Bearer ***"]
    assert service.calls[1].target == "/api/report?since=Bearer+tok-1"
    assert "tok-1" not in repr(store.held)


@pytest.mark.fault("F86")
@pytest.mark.parametrize(
    "state",
    ["text", 7, [], {}, {"identity": 7}, {"identity": "x", "cursor": {"a": 1}}, {"seen": "x"}],
    ids=str,
)
def test_a_checkpoint_of_another_version_is_none(service: Service, state: Any) -> None:
    store = Store()
    service.api = versions(('"1"', "a"))
    watch(service, 3, store)
    (key,) = store.held
    store.held[key] = json.dumps(state)
    assert watch(service, len(service.calls) + 3, store) == []
    assert set(json.loads(store.held[key])) == {"identity", "cursor"}
