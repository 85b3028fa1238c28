"""Run what Airflow's triggerer and scheduler would: a trigger to its event, a task through deferrals."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib import import_module
from typing import Any, cast

from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.triggers.base import BaseTrigger


def again(trigger: BaseTrigger) -> Any:
    """Return the trigger as the triggerer makes it: of what the database holds."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**json.loads(json.dumps(arguments)))


async def first_event(trigger: BaseTrigger) -> Any:
    """Return a trigger's first event."""
    async with aclosing(cast("AsyncGenerator[Any]", trigger.run())) as events:
        async for event in events:
            return json.loads(json.dumps(event.payload))
    raise AssertionError("no event")


def event_of(trigger: BaseTrigger) -> Any:
    """Run a trigger in a loop of its own, in which nothing may be left."""

    async def alone() -> Any:
        event = await first_event(again(trigger))
        await asyncio.sleep(0)  # what was cancelled with it ends now
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return event

    event = asyncio.run(alone())
    gc.collect()  # an unclosed session would complain now
    return event


def to_the_end(operator: Any, *, most: int = 20) -> Any:
    """Run a task, each deferral in a loop of its own, and return its result."""
    step: Any = lambda: operator.execute({})  # noqa: E731
    for _ in range(most):
        try:
            return step()
        except TaskDeferred as deferred:
            event = event_of(deferred.trigger)
            name, kwargs = deferred.method_name, deferred.kwargs or {}
            kept = json.loads(json.dumps(kwargs))
            step = lambda: operator.resume_execution(name, {**kept, "event": event}, {})  # noqa: E731, B023
    raise AssertionError("deferred for ever")
