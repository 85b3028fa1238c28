"""Revoked tokens: how many calls fail, and how many token requests a revocation costs.

Fifty coroutines of one loop, and eight threads, call an API while their token is revoked forty times, with
files and with Redis as the store; hooks of 25 tasks call an API that refuses every token; and callers that
began to wait at different times come out of a shared cool-down.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, server  # noqa: E402
from tests.support.servers.redis_server import RedisServer  # noqa: E402

REVOCATIONS = 40
COROUTINES = 50
THREADS = 8
INTERVAL = 0.1
"""Seconds between two revocations at least."""


class Calls:
    """Counts the calls of each caller, and those that ended with an error; ``over`` ends the calling."""

    def __init__(self, callers: int) -> None:
        self.made = [0] * callers
        self.failed = 0
        self.over = False

    def call(self, caller: int, work: Callable[[], Any]) -> None:
        while not self.over:
            try:
                work()
            except Exception:
                self.failed += 1
            self.made[caller] += 1

    async def acall(self, caller: int, work: Callable[[], Any]) -> None:
        while not self.over:
            try:
                await work()
            except Exception:
                self.failed += 1
            self.made[caller] += 1

    def revoke(self, where: Server) -> None:
        """Revoke again and again, each time when everybody has made two calls more: none meets two."""
        for _ in range(REVOCATIONS):
            before = list(self.made)
            while min(now - then for now, then in zip(self.made, before, strict=True)) < 2:
                time.sleep(INTERVAL)
            where.revoke()
        time.sleep(2 * INTERVAL)
        self.over = True


def hooks(number: int) -> list[Any]:
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    return [OAuth2Hook("bench", "GET") for _ in range(number)]


def coroutines(where: Server) -> Calls:
    calls = Calls(COROUTINES)

    async def main() -> None:
        used = hooks(COROUTINES)
        calling = [calls.acall(index, partial(hook.arun, "guarded")) for index, hook in enumerate(used)]
        await asyncio.gather(asyncio.to_thread(calls.revoke, where), *calling)
        await asyncio.gather(*(hook.aclose() for hook in used))

    asyncio.run(main())
    return calls


def threads(where: Server) -> Calls:
    calls = Calls(THREADS)
    running = [
        threading.Thread(target=calls.call, args=(index, partial(hook.run, "guarded")))
        for index, hook in enumerate(hooks(THREADS))
    ]
    for thread in running:
        thread.start()
    calls.revoke(where)
    for thread in running:
        thread.join()
    return calls


def revoked(report: Report, where: Server, name: str) -> None:
    from airflow_oauth_provider.tokens.manager import shared

    for who, work in ((f"{COROUTINES} coroutines", coroutines), (f"{THREADS} threads", threads)):
        shared.clear()
        before = where.counts()["token"]
        calls = work(where)
        what = f"{name}, {who}, {REVOCATIONS} revocations: failed of {sum(calls.made)} calls"
        report.figure(what, calls.failed, 0)
        requests = where.counts()["token"] - before
        report.figure(f"{name}, {who}: token requests", requests, REVOCATIONS + 1)


def hopeless(report: Report, where: Server, name: str) -> None:
    """Call an API that refuses every token: 25 tasks, 25 calls each."""
    from airflow_oauth_provider.exceptions import ResourceError
    from airflow_oauth_provider.tokens.manager import shared

    shared.clear()
    before, refused = where.counts()["token"], 0
    for hook in hooks(25):
        shared.slots.clear()  # a task is a process of its own
        for _ in range(25):
            try:
                hook.run("status-401")
            except ResourceError:
                refused += 1
    requests = where.counts()["token"] - before
    report.figure(f"{name}: token requests of {refused} calls that are all refused", requests, 2)


def cooled_down(report: Report, where: Server, name: str) -> None:
    """Let waiters of different ages come out of a cool-down."""
    from airflow_oauth_provider.connection.resolving import resolve
    from airflow_oauth_provider.deployment.policy import read_policy
    from airflow_oauth_provider.exceptions import TokenEndpointError
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
    from airflow_oauth_provider.tokens.entries import Entries
    from airflow_oauth_provider.tokens.manager import TokenManager

    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection(scope=f"cooled-{name}"))
    policy = read_policy()
    settings = resolve(OAuth2Hook.get_connection("bench"), policy).settings
    busy = TokenEndpointError("busy", status=429, retry_after=25.0, retryable=True)
    Entries(settings, policy.sharing).refused(busy, budget=60.0)
    before = where.counts()["token"]
    with ThreadPoolExecutor(8) as pool:
        waiting = []
        for _ in range(8):
            waiting.append(pool.submit(TokenManager().acquire, settings, policy.sharing))
            time.sleep(3)
        for pending in waiting:
            pending.result()
    requests = where.counts()["token"] - before
    report.figure(f"{name}: token requests of 8 that waited 1 to 25 s for a cool-down", requests, 1)


def main(where: Server) -> None:
    logging.disable(logging.ERROR)
    report = Report("Revoked tokens")
    with RedisServer() as redis:
        for store, name in (("file", "files"), (redis.url, "Redis")):
            with tempfile.TemporaryDirectory(prefix="revocations-") as home:
                os.environ |= {"AIRFLOW__OAUTH2__TOKEN_STORE": store, "AIRFLOW_HOME": home}
                for work in (revoked, hopeless):
                    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection(scope=work.__name__))
                    work(report, where, name)
                cooled_down(report, where, name)
    report.end()


if __name__ == "__main__":
    with server(latency=0.02) as running:
        main(running)
