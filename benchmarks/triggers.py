"""What triggers do to an API and to each other: poll rates, a hanging server, and pages."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import threading
import time
import warnings
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

warnings.simplefilter("ignore")
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"  # the stock trigger logs each of its polls

from benchmarks.harness import Report, Server, server  # noqa: E402

INTERVAL = 0.5
WATCHED = 3.0
"""Seconds for which each poll loop is counted."""
OTHERS = 50
ROUNDS = 20
_STATUSES = ("401", "403", "404", "429", "500")


async def _polls(trigger: Any, where: Server) -> float:
    """Return the requests a second that a trigger makes of the API."""
    before = where.counts()["api"]

    async def run() -> None:
        async for _ in trigger.run():
            return

    task = asyncio.create_task(run())
    await asyncio.sleep(WATCHED)
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
    # The first poll comes at once, so a loop that keeps its interval makes one more than the rate.
    return max(0, where.counts()["api"] - before - 1) / WATCHED


def _poll_loops(report: Report, where: Server) -> None:
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger

    for name in (*_STATUSES, "silent"):
        trigger = OAuth2HttpSensorTrigger(
            "bench",
            endpoint=f"status-{name}",
            poke_interval=INTERVAL,
            response_error_codes_allowlist=(404,),
            max_consecutive_failures=None,
            extra_options={"timeout": 0.2},
        )
        # One renewal of a refused token is a second request of the same poll.
        limit = 1 / INTERVAL
        report.figure(f"polls a second, API answers {name}", asyncio.run(_polls(trigger, where)), limit)
    os.environ["AIRFLOW_CONN_STOCK"] = json.dumps({"conn_type": "http", "host": f"{where.url}/api"})
    stock = HttpSensorTrigger("status-401", "stock", poke_interval=INTERVAL)
    report.figure("the same, stock HttpSensorTrigger, 401", asyncio.run(_polls(stock, where)), None)


def _refused(report: Report) -> None:
    """Count the connections that a loop opens to a port where each is closed at once."""
    from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger

    listener = socket.create_server(("127.0.0.1", 0))
    opened: list[float] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                opened.append(time.monotonic())
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    trigger = OAuth2HttpSensorTrigger(
        "bench_any",
        base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
        endpoint="x",
        poke_interval=INTERVAL,
        max_consecutive_failures=None,
    )

    async def run() -> None:
        async for _ in trigger.run():
            return

    async def watch() -> None:
        task = asyncio.create_task(run())
        await asyncio.sleep(WATCHED)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(watch())
    listener.close()
    report.figure("polls a second, connections are cut", max(0, len(opened) - 1) / WATCHED, 1 / INTERVAL)


async def _latencies(hooks: list[Any]) -> list[float]:
    async def one(hook: Any) -> float:
        began = time.perf_counter()
        await hook.arun("status")
        return time.perf_counter() - began

    calls: list[Awaitable[float]] = [one(hook) for hook in hooks for _ in range(4)]
    return list(await asyncio.gather(*calls))


async def _beside_a_hanging_server(hanging: str) -> tuple[float, float]:
    """Return the slowest hundredth of 50 connections' calls: alone, and beside one that hangs."""
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    hooks = [OAuth2Hook(f"bench_{number}", "GET") for number in range(OTHERS)]
    await _latencies(hooks)
    os.environ["AIRFLOW_CONN_HANGING"] = hanging
    latencies: dict[str, list[float]] = {"alone": [], "beside": []}
    for index in range(2 * ROUNDS):
        if index % 2:
            latencies["alone"].append(_slowest(await _latencies(hooks)))
            continue
        stuck = [asyncio.create_task(OAuth2Hook("hanging", "GET").arun("x")) for _ in range(50)]
        await asyncio.sleep(0.05)
        latencies["beside"].append(_slowest(await _latencies(hooks)))
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        await asyncio.sleep(0.05)
    for hook in hooks:
        await hook.aclose()
    return statistics.median(latencies["alone"]), statistics.median(latencies["beside"])


def _slowest(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[-1]


def _pages(report: Report, where: Server) -> None:
    from airflow_oauth_provider.client import reading as client
    from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator

    reads = []
    read = client.get_connection

    def counted(conn_id: str) -> Any:
        reads.append(conn_id)
        return read(conn_id)

    client.get_connection = counted
    pages = iter([{"endpoint": f"status?page={number}"} for number in range(2, 6)])
    operator = OAuth2HttpOperator(
        task_id="pages",
        oauth2_conn_id="bench",
        method="GET",
        endpoint="status?page=1",
        pagination_function=lambda _: next(pages, None),
    )
    before = where.counts()
    operator.execute({})
    after = where.counts()
    client.get_connection = read
    report.figure("5 pages: connection reads", len(reads), 1)
    # Each look at the counts is a connection of its own.
    report.figure("5 pages: TCP connections", after["connections"] - before["connections"] - 1, 1)


def main(where: Server) -> None:
    import logging

    logging.disable(logging.CRITICAL)
    os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection())
    os.environ["AIRFLOW_CONN_BENCH_ANY"] = json.dumps(where.connection(base_url=None))
    for number in range(OTHERS):
        own = {**where.connection(), "login": f"bench-{number}"}
        os.environ[f"AIRFLOW_CONN_BENCH_{number}"] = json.dumps(own)
    silent = socket.create_server(("127.0.0.1", 0), backlog=512)
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/token"
    hanging = json.dumps({**where.connection(max_wait=5, max_retry_attempts=0), "host": url})
    report = Report("Triggers and deferred calls")
    _poll_loops(report, where)
    _refused(report)
    alone, beside = asyncio.run(_beside_a_hanging_server(hanging))
    report.figure("p99 of 50 connections beside one that hangs / alone", beside / alone, 1.2)
    _pages(report, where)
    report.end()


if __name__ == "__main__":
    with server() as running:
        main(running)
