"""What protected calls of coroutines cost beside bare aiohttp, a thousand at once on one event loop."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, server  # noqa: E402

CALLS = 1000
ROUNDS = 15


@dataclass(frozen=True)
class Round:
    """Seconds for all calls; *stall* is the longest that the loop did nothing else."""

    wall: float
    cpu: float
    stall: float


async def _measured(work: Callable[[], Awaitable[None]]) -> Round:
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    gc.collect()  # so that nobody pays for the garbage of the round before
    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    longest = 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    found = Round(time.perf_counter() - wall, time.process_time() - cpu, longest)
    watcher.cancel()
    return found


async def _bare(url: str) -> None:
    import aiohttp

    async with aiohttp.ClientSession(headers={"Authorization": "Bearer static"}) as session:

        async def call() -> None:
            async with session.get(f"{url}/api/status") as response:
                await response.read()

        await asyncio.gather(*(call() for _ in range(CALLS)))


async def _ours() -> None:
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
    from airflow_oauth_provider.tokens.manager import shared

    shared.clear()  # cold: connection, token and TCP connections
    hook = OAuth2Hook("bench", method="GET")

    async def call() -> None:
        await hook.arun("status")

    await asyncio.gather(*(call() for _ in range(CALLS)))
    await hook.aclose()


def main(where: Server) -> None:
    import logging

    logging.disable(logging.INFO)
    os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection())
    works: dict[str, Callable[[], Awaitable[None]]] = {"bare": lambda: _bare(where.url), "ours": _ours}
    for work in works.values():
        asyncio.run(_measured(work))
    before = where.counts()["token"]
    found: dict[str, list[Round]] = {name: [] for name in works}
    for index in range(ROUNDS):
        for name in sorted(works, reverse=bool(index % 2)):
            found[name].append(asyncio.run(_measured(works[name])))
    report = Report(f"{CALLS:,} calls at once on one event loop, cold")
    pairs = list(zip(found["ours"], found["bare"], strict=True))
    for clock in ("wall", "cpu"):
        ratio = statistics.median(getattr(ours, clock) / getattr(bare, clock) for ours, bare in pairs)
        report.figure(f"hook.arun() / bare aiohttp, {clock}", ratio, 1.15)
    stall = statistics.median(bare.stall for _, bare in pairs)
    report.figure("longest stall of the loop, bare aiohttp", stall * 1000, None, " ms")
    report.figure(
        "longest stall of the loop, hook.arun()",
        statistics.median(ours.stall for ours, _ in pairs) * 1000,
        max(20.0, 1500 * stall),
        " ms",
    )
    report.figure("token requests a round", (where.counts()["token"] - before) / ROUNDS, 1)
    report.end()


if __name__ == "__main__":
    with server() as running:
        main(running)
