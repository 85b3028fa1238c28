from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.transport.loops import PerLoop
from tests.support.service import Service


def test_what_closed_loops_have_left_goes_with_the_next_that_comes() -> None:
    kept: PerLoop[str] = PerLoop()
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    assert kept.keep(first, "one") == "one"
    first.close()
    assert kept.get(first) == "one"
    assert kept.keep(second, "two") == "two"
    assert dict(kept) == {second: "two"}
    second.close()


@pytest.mark.fault("L32")
def test_a_hook_that_is_used_in_one_loop_after_another_holds_on_to_the_last_alone(service: Service) -> None:
    hook = OAuth2Hook("my_api", "GET", connection=service.connection())
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def call() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await hook.arun("x")

    for _ in range(4):
        asyncio.run(call())
    gc.collect()
    assert [loop() is None for loop in loops] == [True, True, True, False]
