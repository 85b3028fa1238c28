"""Run a watcher against an API, with a store as Airflow has one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger
from tests.support.servers.scripted import Json, ScriptedResponse, Text
from tests.support.service import RecordedRequest, Service
from tests.support.waiting import auntil
from tests.triggers.running import again

SECRET = "a-client-secret"
DONE = {"json_path": "state", "expected": "done"}


class Store:
    """Where Airflow 3.3 keeps an asset's state."""

    def __init__(self, error: Exception | None = None, *, failing: Collection[str] = ()) -> None:
        self.held: dict[str, Any] = {}
        self.error = error or RuntimeError(SECRET)
        self.failing = failing
        self.tried: list[str] = []

    async def aget(self, key: str) -> Any:
        self.tried.append("aget")
        if "aget" in self.failing:
            raise self.error
        return json.loads(self.held[key]) if key in self.held else None

    async def aset(self, key: str, value: Any) -> None:
        self.tried.append("aset")
        if "aset" in self.failing:
            raise self.error
        self.held[key] = json.dumps(value)


def watch(service: Service, polls: int, store: Store | None = None, **arguments: Any) -> list[Any]:
    """Run a watcher until it has dealt with so many polls of the API, and return its events."""
    trigger = again(OAuth2HttpEventTrigger("my_api", **{"endpoint": "report", **arguments}))
    trigger.asset_state_store = store
    # The next poll begins when all that follows from the last is done.
    return asyncio.run(watched(trigger.run(), lambda: len(service.calls) > polls))


async def watched(events: AsyncIterator[Any], done: Callable[[], bool]) -> list[Any]:
    payloads = []

    async def collect() -> None:
        async for event in events:
            payloads.append(json.loads(json.dumps(event.payload)))  # noqa: PERF401  (kept when cancelled)

    task = asyncio.create_task(collect())
    await auntil(lambda: done() or task.done(), "its polls")
    assert not task.done(), "a watcher never ends"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return payloads


def versions(*bodies: tuple[str, str]) -> Callable[[RecordedRequest], ScriptedResponse]:
    """Serve a resource that honours If-None-Match; the last version for ever."""
    left = list(bodies)

    def serve(request: RecordedRequest) -> ScriptedResponse:
        tag, body = left.pop(0) if len(left) > 1 else left[0]
        if request.header("If-None-Match") == tag:
            return Text(304, "", headers=[("ETag", tag)])
        return Text(200, body, headers=[("ETag", tag)])

    return serve


def states(*values: str) -> Callable[[RecordedRequest], ScriptedResponse]:
    """Serve a resource without validators whose state changes with each poll; the last for ever."""
    left = list(values)
    return lambda _: Json({"state": left.pop(0) if len(left) > 1 else left[0]})
