"""Watchers as the triggerer runs them: several over one poll, joined late, and cancelled anywhere."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from airflow_oauth_provider.hooks import shared_hook
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger
from tests.support.servers.scripted import Json, ScriptedResponse, Silent, Text
from tests.support.service import RecordedRequest, Service
from tests.triggers.running import again

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("my_api")]


def watcher(**arguments: Any) -> Any:
    return again(OAuth2HttpEventTrigger("my_api", **{"endpoint": "report", "poll_interval": 1, **arguments}))


class Triggerer:
    """What Airflow's triggerer does with a watcher."""

    def __init__(self) -> None:
        shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="Airflow 3.3 and later")
        self._streams = shared_stream.SharedStreamManager()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, trigger: Any) -> list[Any]:
        """Run a watcher; its events come into the list."""
        events: list[Any] = []
        self._tasks.append(asyncio.create_task(self._run(len(self._tasks), trigger, events)))
        return events

    async def _run(self, number: int, trigger: Any, events: list[Any]) -> None:
        key = trigger.shared_stream_key()
        if key is None:
            stream = trigger.run()
        else:
            shared = self._streams.subscribe(trigger_id=number, trigger=trigger, key=key)
            stream = trigger.filter_shared_stream(shared)
        try:
            async for event in stream:
                events.append(event.payload)  # noqa: PERF401  (kept when cancelled)
        finally:
            if key is not None:
                await self._streams.unsubscribe(number, key)

    async def stop(self, number: int) -> None:
        self._tasks[number].cancel()
        await asyncio.wait([self._tasks[number]])
        assert self._tasks[number].cancelled()


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not any(shared_hook._hooks.get(asyncio.get_running_loop(), {}).values())


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  (the server counts in a thread)
            await asyncio.sleep(0.02)


def test_who_joins_late_is_told_what_is_there_although_nothing_changes(service: Service) -> None:
    def serve(request: RecordedRequest) -> Text:
        same = request.header("If-None-Match") == '"1"'
        return Text(304 if same else 200, "" if same else '{"n": 1}', headers=[("ETag", '"1"')])

    service.api = serve

    async def joined() -> tuple[list[Any], list[Any]]:
        triggerer = Triggerer()
        early = triggerer.start(watcher())
        await until(lambda: len(service.calls) >= 2)
        late = triggerer.start(watcher(response_check={"json_path": "n", "expected": 1}))
        await until(lambda: late)
        await triggerer.stop(0)
        before = len(service.calls)
        await until(lambda: len(service.calls) > before)  # for the one who is left
        await triggerer.stop(1)
        return early, late

    async def run() -> Any:
        async with nothing_left():
            return await joined()

    early, late = asyncio.run(run())
    assert early == []
    assert [event["etag"] for event in late] == ['"1"']
    assert [call.header("If-None-Match") for call in service.calls] == [
        None,
        *['"1"'] * (len(service.calls) - 1),
    ]


def test_watchers_with_a_cursor_poll_each_for_itself(service: Service) -> None:
    def serve(request: RecordedRequest) -> Text:
        return Json({"next": int(request.target.partition("since=")[2] or 0) + 10})

    service.api = serve

    async def run() -> Any:
        async with nothing_left():
            triggerer = Triggerer()
            cursor = {"json_path": "next", "param": "since"}
            one, two = triggerer.start(watcher(cursor=cursor)), triggerer.start(watcher(cursor=cursor))
            await until(lambda: one and two)
            await triggerer.stop(0)
            await triggerer.stop(1)
            return one, two

    one, two = asyncio.run(run())
    assert [event["cursor"] for event in one] == [event["cursor"] for event in two] == [20]


@pytest.mark.fault("L11")
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "alone"])
@pytest.mark.parametrize("where", ["token", "call", "pause", "pause-of-a-failure"])
def test_a_watcher_that_is_cancelled_leaves_nothing_behind(
    service: Service, where: str, shared: bool
) -> None:
    if where == "token":
        service.token = lambda _: Silent()
    responses: dict[str, ScriptedResponse] = {"call": Silent(), "pause": Json({})}
    service.api = lambda _: responses.get(where, Json({}, 500))

    async def run() -> None:
        async with nothing_left():
            trigger = watcher(poll_interval=60)
            if not shared:
                trigger.shared_stream_key = lambda: None
            triggerer = Triggerer()
            triggerer.start(trigger)
            await until(lambda: service.token_requests if where == "token" else service.calls)
            await asyncio.sleep(0.1)
            await triggerer.stop(0)

    asyncio.run(run())
    gc.collect()  # an unclosed session would complain now


@pytest.mark.fault("L11")
@pytest.mark.parametrize("error", [None, OSError()], ids=["closes", "fails-to-close"])
@pytest.mark.parametrize("status", [200, 500])
def test_a_watcher_that_is_cancelled_while_it_closes_ends(
    service: Service, monkeypatch: pytest.MonkeyPatch, status: int, error: Exception | None
) -> None:
    """Be it that a poll failed, or that it had been cancelled before."""
    closings = []

    async def close(hook: OAuth2Hook) -> None:
        task = asyncio.current_task()
        assert task is not None
        closings.append(task)
        task.cancel()
        try:
            await closed(hook)
        finally:
            if error is not None:
                raise error

    closed = OAuth2Hook.aclose
    monkeypatch.setattr(OAuth2Hook, "aclose", close)
    service.api = lambda _: Json({}, status)

    async def run() -> None:
        async with nothing_left():

            async def collect() -> None:
                async for _ in watcher(poll_interval=60).run():
                    pass

            task = asyncio.create_task(collect())
            if status == 200:
                await until(lambda: service.calls)
                await asyncio.sleep(0.1)
                task.cancel()
            await asyncio.wait([task], timeout=60)
            assert task.cancelled()

    asyncio.run(run())
    gc.collect()
    assert len(closings) == 1


def test_a_watcher_that_is_left_at_an_event_closes_at_once(service: Service) -> None:
    service.api = lambda _: Json({})

    async def run() -> None:
        async with nothing_left():
            events = watcher(response_check={"status": 200}).run()
            await anext(events)
            await events.aclose()

    asyncio.run(run())
    gc.collect()


def test_other_kinds_of_watchers_do_not_share_a_poll() -> None:
    class Other(OAuth2HttpEventTrigger):
        """Of a DAG author's."""

    one, other = OAuth2HttpEventTrigger("my_api"), Other("my_api")
    assert one.shared_stream_key() != other.shared_stream_key()
