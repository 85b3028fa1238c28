"""The process that forks those of a fleet, kills some and collects what the others say."""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import time
from dataclasses import asdict, replace

from tests.support.fleet import Report, Result, Task
from tests.support.fleet_clients import LIBRARIES, note
from tests.support.stopwatch import Stopwatch


def _child(task: Task, start: int, ready: int, leaders: int, results: int) -> None:
    """Be one process, and tell at the end what came of it."""
    get_token = LIBRARIES[task.library](task, leaders)
    os.write(ready, b"x")
    os.read(start, 1)
    watch = Stopwatch()
    try:
        token = get_token()
        first, stalled = watch.wall, watch.stalled
        slowest = first
        for _ in range(task.calls - 1):
            again = time.monotonic()
            token = get_token()
            slowest = max(slowest, time.monotonic() - again)
        result = Result(token=token, seconds=first, slowest=slowest, stalled=stalled, engine=_engine(task))
    except Exception as error:
        result = Result(
            error=type(error).__name__, message=str(error), seconds=watch.wall, stalled=watch.stalled
        )
    os.write(results, json.dumps(asdict(result)).encode() + b"\n")


def _engine(task: Task) -> float:
    """Measure, on the store that is warm now, from settings to token with a memory that is cold."""
    if task.library != "ours" or task.kill_after or task.scopes:
        return 0.0
    from airflow.sdk import Connection

    from airflow_oauth_provider.tokens.stores import redis_store

    redis_store.OPERATION_TIMEOUT = task.store_seconds or redis_store.OPERATION_TIMEOUT
    from airflow_oauth_provider.connection.resolving import resolve
    from airflow_oauth_provider.deployment.policy import read_policy
    from airflow_oauth_provider.tokens.manager import TokenManager
    from airflow_oauth_provider.tokens.sealing import sealer

    policy = read_policy()
    given = {**task.connection, "extra": json.dumps(task.connection["extra"])}
    settings = resolve(Connection(conn_id="fleet", **given), policy).settings
    sealer.cache_clear()
    began = time.monotonic()
    TokenManager().acquire(settings, policy.sharing)
    return time.monotonic() - began


class _Conductor:
    """Start the processes, kill those who ask if the task says so, collect what the others say."""

    def __init__(self, task: Task, chance: random.Random) -> None:
        self.task = task
        self.random = chance
        self.killed = 0
        self._lines: dict[int, bytes] = {}

    def run(self) -> tuple[list[Result], int]:
        """Run one round; return what came of it, and how many were killed."""
        start, go = os.pipe()
        standing, ready = os.pipe()
        leaders, announce = os.pipe()
        results, report = os.pipe()
        children = [
            self._fork(number, start, ready, announce, report) for number in range(self.task.processes)
        ]
        for pipe in (ready, announce, report):
            os.close(pipe)
        waiting = 0
        while waiting < self.task.processes:
            arrived = len(os.read(standing, self.task.processes))
            if not arrived:
                raise RuntimeError(f"{self.task.processes - waiting} processes ended before the start")
            waiting += arrived
        os.write(go, b"x" * self.task.processes)
        collected = self._collect(leaders, results)
        for child in children:
            os.kill(child, signal.SIGKILL)  # whoever was stopped; the others are zombies by now
            os.waitpid(child, 0)
        for pipe in (start, go, standing, leaders, results):
            os.close(pipe)
        return collected, self.killed

    def _fork(self, number: int, *pipes: int) -> int:
        child = os.fork()
        if child == 0:
            scope = f"scope-{number % self.task.scopes}" if self.task.scopes else None
            try:
                _child(replace(self.task, scope=scope), *pipes)
            finally:
                os._exit(0)
        return child

    def _collect(self, leaders: int, results: int) -> list[Result]:
        due: list[tuple[float, int]] = []
        collected: list[Result] = []
        stopped = 0
        while len(collected) < self.task.processes - self.killed - stopped:
            least = 0.0 if self.task.kill_when is None else 0.02
            wait = max(least, min(at for at, _ in due) - time.monotonic()) if due else 1.0
            ready, _, _ = select.select([leaders, results], [], [], min(1.0, wait))
            if leaders in ready:
                for line in self._read(leaders):
                    stopped += self._leader(int(line), due, stopped)
            if results in ready:
                collected += [Result(**json.loads(line)) for line in self._read(results)]
            for item in self._now(due):
                due.remove(item)
                os.kill(item[1], signal.SIGKILL)
                self.killed += 1
                note(self.task, "killed")
        return collected

    def _now(self, due: list[tuple[float, int]]) -> list[tuple[float, int]]:
        """Return those who are to be killed now."""
        if self.task.kill_when is not None and not os.path.exists(self.task.kill_when):  # noqa: PTH110
            return []
        return [item for item in due if item[0] <= time.monotonic()]

    def _leader(self, pid: int, due: list[tuple[float, int]], stopped: int) -> int:
        if self.task.stop_leader and not stopped:
            os.kill(pid, signal.SIGSTOP)
            note(self.task, "stopped")
            return 1
        if self.task.kill_after and self.killed + len(due) < self.task.kills:
            due.append((time.monotonic() + self.random.uniform(*self.task.kill_after), pid))
        return 0

    def _read(self, pipe: int) -> list[bytes]:
        data = self._lines.get(pipe, b"") + os.read(pipe, 65_536)
        *lines, self._lines[pipe] = data.split(b"\n")
        return lines


def conduct(text: str) -> None:
    """Run the processes of a task, and print the report."""
    import importlib
    import logging

    logging.disable(logging.CRITICAL)
    given = json.loads(text)
    task = Task(**{**given, "kill_after": tuple(given["kill_after"]) if given["kill_after"] else None})
    if task.ahead:
        real = time.time
        time.time = lambda: real() + task.ahead
    if task.store.startswith("redis"):
        importlib.import_module("redis")
    from airflow.sdk import Connection

    from airflow_oauth_provider.connection.resolving import resolve
    from airflow_oauth_provider.deployment.policy import read_policy
    from airflow_oauth_provider.tokens.stores import redis_store

    redis_store.OPERATION_TIMEOUT = task.store_seconds or redis_store.OPERATION_TIMEOUT
    resolve(
        Connection(
            conn_id="x",
            conn_type="oauth2_client_credentials",
            host="127.0.0.1",
            login="a",
            password="b" * 8,
        ),
        read_policy(),
    )
    if task.library != "ours":
        LIBRARIES[task.library](task, 0)
    gc.freeze()  # what is there before the processes are made is copied for none of them
    report, chance, asked = Report(), random.Random(task.seed), _asked(task)
    for number in range(task.rounds):
        login = task.connection["login"] + (f"-{number}" if task.rounds > 1 else "")
        results, killed = _Conductor(
            replace(task, connection={**task.connection, "login": login}), chance
        ).run()
        report.results.extend(results)
        report.killed.append(killed)
        before, asked = asked, _asked(task)
        report.requests.append(asked - before)
    print(json.dumps(asdict(report)))


def _asked(task: Task) -> int:
    """Return the server's own count, where it is the benchmarks' server."""
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(task.connection["host"].replace("/token", "/counts")) as response:
            return int(json.load(response)["token"])
    except (URLError, ValueError, KeyError):
        return 0
