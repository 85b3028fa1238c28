"""Mapped tasks on an API with a limit of calls: how many of them it has to refuse.

The API accepts 600 calls in any minute, answers 429 with ``Retry-After: 5`` to more, and counts. Each of the
tasks calls for three pages. Two workers run them, each with several slots; a task is a process of its own,
which knows nothing but what the store has. One that fails is run again after 5 s, as often as it takes. First
our operator, then Airflow's own on the same machine.
"""

from __future__ import annotations

import gc
import heapq
import json
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import RETRY_AFTER, Report, Server, server  # noqa: E402

TASKS = 400
WORKERS = 2
SLOTS = 8
PAGES = 3
PER_MINUTE = 600
LIMIT = 2.0
"""Per cent of all calls that may be answered 429."""


def _task(kind: str) -> Callable[[], Any]:
    """Return what a task does."""
    pages = iter([{"endpoint": f"orders?page={page}"} for page in range(2, PAGES + 1)])
    arguments: dict[str, Any] = {
        "task_id": "call",
        "method": "GET",
        "endpoint": "orders?page=1",
        "pagination_function": lambda _: next(pages, None),
        "deferrable": False,
    }
    if kind == "ours":
        from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator

        return lambda: OAuth2HttpOperator(oauth2_conn_id="bench", **arguments).execute({})
    from airflow.providers.http.operators.http import HttpOperator

    return lambda: HttpOperator(http_conn_id="stock", **arguments).execute({})


def _worker(kind: str, tasks: int, done: Any) -> None:
    """Run so many tasks, each in a process of its own; report how many processes that took."""
    import logging

    logging.disable(logging.CRITICAL)
    from airflow_oauth_provider.hooks import oauth2  # noqa: F401  (imported once, as Airflow's executors do)

    _task(kind)
    gc.freeze()
    ready_at = [0.0] * tasks
    running: set[int] = set()
    processes = 0
    while ready_at or running:
        while len(running) < SLOTS and ready_at and ready_at[0] <= time.monotonic():
            heapq.heappop(ready_at)
            processes += 1
            running.add(_started(kind))
        ended, status = os.waitpid(-1, os.WNOHANG) if running else (0, 0)
        if not ended:
            time.sleep(0.002)
            continue
        running.discard(ended)
        if status:
            heapq.heappush(ready_at, time.monotonic() + RETRY_AFTER)
    done.send(processes)


def _started(kind: str) -> int:
    child = os.fork()
    if child:
        return child
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        _task(kind)()
    except BaseException:
        os._exit(1)
    os._exit(0)


def _run(report: Report, kind: str, where: Server, limit: float | None) -> None:
    context = multiprocessing.get_context("spawn")
    began = time.monotonic()
    receivers = []
    for number in range(WORKERS):
        receiver, sender = context.Pipe(duplex=False)
        tasks = len(range(number, TASKS, WORKERS))
        context.Process(target=_worker, args=(kind, tasks, sender)).start()
        receivers.append(receiver)
    processes = sum(receiver.recv() for receiver in receivers)
    counts = where.counts()
    name = "OAuth2HttpOperator" if kind == "ours" else "stock HttpOperator"
    report.figure(f"{name}: 429s of all calls", 100 * counts["limited"] / counts["api"], limit, " %")
    report.figure(f"{name}: calls of {TASKS} tasks with {PAGES} pages", counts["api"], None)
    report.figure(f"{name}: of these answered 429", counts["limited"], None)
    report.figure(f"{name}: runs of tasks", processes, None)
    report.figure(f"{name}: until all tasks have succeeded", time.monotonic() - began, None, " s")
    if kind == "ours":
        report.figure(f"{name}: token requests", counts["token"], 1)


def main() -> None:
    report = Report(f"{TASKS} mapped tasks on {WORKERS} workers; an API accepts {PER_MINUTE} calls a minute")
    for kind, limit in (("ours", LIMIT), ("stock", None)):
        with tempfile.TemporaryDirectory() as home, server(per_minute=PER_MINUTE) as where:
            os.environ["AIRFLOW_HOME"] = home
            os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "file"
            os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
            os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection())
            os.environ["AIRFLOW_CONN_STOCK"] = json.dumps({"conn_type": "http", "host": f"{where.url}/api"})
            _run(report, kind, where, limit)
    report.end()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        TASKS = int(sys.argv[1])
    main()
