"""What protected calls cost a triggerer beside bare aiohttp, a thousand at once on one event loop.

As coroutines of one hook, and as a thousand deferred tasks, each with a trigger of its own as Airflow
has it; those beside the HTTP provider's own.
"""

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
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, server  # noqa: E402

CALLS = 1000
RUNS = 5
ROUNDS = 5
"""Of each run; a figure is the median of the runs, each of which is the median of its rounds."""


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
    sample = Round(time.perf_counter() - wall, time.process_time() - cpu, longest)
    watcher.cancel()
    return sample


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


async def _triggers() -> None:
    from airflow_oauth_provider.tokens.manager import shared
    from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger

    shared.clear()
    await _all_end(lambda: OAuth2HttpTrigger("bench", endpoint="status"))


async def _stock() -> None:
    from airflow.providers.http.triggers.http import HttpTrigger

    await _all_end(lambda: HttpTrigger("stock", method="GET", endpoint="status"))


async def _all_end(trigger: Callable[[], Any]) -> None:
    async def run() -> None:
        async for event in trigger().run():
            if event.payload["status"] != "success":
                raise AssertionError(event.payload)

    await asyncio.gather(*(run() for _ in range(CALLS)))


def _count_reads() -> list[str]:
    """Note each connection that is read for a coroutine."""
    from airflow_oauth_provider.client import reading as client

    reads: list[str] = []
    read = client.aget_connection

    async def counted(conn_id: str) -> Any:
        reads.append(conn_id)
        return await read(conn_id)

    client.aget_connection = counted
    return reads


def _run(works: dict[str, Callable[[], Awaitable[None]]]) -> dict[str, list[Round]]:
    """Measure all works in turn, each time in another order."""
    rounds: dict[str, list[Round]] = {name: [] for name in works}
    names = list(works)
    for index in range(ROUNDS):
        turn = index % len(names)
        for name in names[turn:] + names[:turn]:
            rounds[name].append(asyncio.run(_measured(works[name])))
    return rounds


def _ratio(run: dict[str, list[Round]], above: str, below: str, clock: str) -> float:
    pairs = zip(run[above], run[below], strict=True)
    ratios: list[float] = [getattr(a, clock) / getattr(b, clock) for a, b in pairs]
    return statistics.median(ratios)


def main(where: Server) -> None:
    import logging

    logging.disable(logging.CRITICAL)
    os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection())
    os.environ["AIRFLOW_CONN_STOCK"] = json.dumps(
        {"conn_type": "http", "host": f"{where.url}/api", "extra": {"Authorization": "Bearer static"}}
    )
    works: dict[str, Callable[[], Awaitable[None]]] = {
        "bare": lambda: _bare(where.url),
        "ours": _ours,
        "triggers": _triggers,
        "stock": _stock,
    }
    for work in works.values():
        asyncio.run(_measured(work))
    before, reads = where.counts()["token"], _count_reads()
    runs = [_run(works) for _ in range(RUNS)]
    measured = {name: [sample for run in runs for sample in run[name]] for name in works}
    report = Report(f"{CALLS:,} calls at once on one event loop, cold; the median of {RUNS} runs")
    for above, below, what, limit in (
        ("ours", "bare", "hook.arun() / bare aiohttp", 1.10),
        ("triggers", "bare", "OAuth2HttpTrigger / bare aiohttp", None),
        ("triggers", "stock", "OAuth2HttpTrigger / stock HttpTrigger", 0.5),
    ):
        for clock in ("wall", "cpu"):
            ratio = statistics.median(_ratio(run, above, below, clock) for run in runs)
            report.figure(f"{what}, {clock}", ratio, limit)
    stalls = {name: statistics.median(sample.stall for sample in rounds) for name, rounds in measured.items()}
    report.figure("longest stall of the loop, bare aiohttp", stalls["bare"] * 1000, None, " ms")
    bound = max(20.0, 1500 * stalls["bare"])
    for name, what in (("ours", "hook.arun()"), ("triggers", "OAuth2HttpTrigger")):
        report.figure(f"longest stall of the loop, {what}", stalls[name] * 1000, bound, " ms")
    report.figure("token requests a round", (where.counts()["token"] - before) / RUNS / ROUNDS / 2, 1)
    report.figure("connection reads a round", len(reads) / RUNS / ROUNDS / 2, 2)
    report.end()


if __name__ == "__main__":
    with server() as running:
        main(running)
