"""Token requests of many cold processes: ours with files and Redis, and what others make.

Figures: 1,000 calls by 16 processes at a token endpoint that takes 250 ms; likewise at a real server, by
discovery, with proofs of possession and with a client certificate; the first token on a warm store; 1,000
processes with 10 scopes between them; 500 with a wrong secret; 200 whose leader is killed again and again
(``python -m benchmarks.storm ROUNDS``, default 100, some minutes).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.harness import Report, Server, server
from tests.support.fleet import Task, run
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.strict_servers import StrictServers
from tests.system.interop.deployments import FAPI, Deployment, strict_deployment
from tests.system.interop.features import metadata_requests

LATENCY = 0.25
PROCESSES = 16
CALLS = 1000 // PROCESSES + 1
BUDGET = 60.0
#: Client and settings of a connection to a server that demands all three.
STRICT: dict[str, tuple[str, dict[str, Any]]] = {
    "discovery and DPoP": ("PS256", {}),
    "discovery and client certificate": ("tls_client_auth", {}),
    "discovery, client certificate and DPoP": ("tls_client_auth-unbound", {"dpop": True}),
}


def connection(where: Server, login: str, **extra: Any) -> dict[str, Any]:
    return {**where.connection(scope="read", **extra), "login": login}


@contextmanager
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="fleet-") as path:
        yield path


def cold_start(report: Report, where: Server, store: str, name: str) -> None:
    with folder() as home:
        task = Task(connection(where, f"cold-{name}"), store, home, PROCESSES, CALLS)
        before = where.counts()["token"]
        outcome = run(task)
        report.figure(
            f"{name}: token requests, {PROCESSES} cold processes", where.counts()["token"] - before, 1
        )
        slowest = max(result.seconds for result in outcome.results)
        report.figure(f"{name}: slowest first call / token latency", slowest / LATENCY, 4)


def strict_start(report: Report, where: Deployment, store: str, name: str) -> None:
    for kind, (client, settings) in STRICT.items():
        where.server.reset()
        with folder() as home:
            run(Task(where.environment(client, discovery=True, **settings), store, home, PROCESSES, CALLS))
        requests = len(where.server.requests("/token"))
        report.figure(f"{name}, {kind}: token requests", requests, 1)
        report.figure(f"{name}, {kind}: metadata fetched", metadata_requests(where), 1)


def others(report: Report, where: Server) -> None:
    for library in ("authlib", "requests_oauth2client"):
        with folder() as home:
            task = Task(connection(where, library), "memory", home, PROCESSES, CALLS, library=library)
            before = where.counts()["token"]
            run(task)
            report.figure(f"{library}: token requests, likewise", where.counts()["token"] - before, None)


def warm_store(report: Report, where: Server, store: str, name: str, limit: float) -> None:
    with folder() as home:
        given = connection(where, f"warm-{name}")
        run(Task(given, store, home, 1))
        results = [result for _ in range(10) for result in run(Task(given, store, home, 1)).results]
        engine = statistics.median(result.engine for result in results) * 1000
        whole = statistics.median(result.seconds for result in results) * 1000
        report.figure(f"{name}: first token of a cold process, warm store", engine, limit, " ms")
        report.figure(f"{name}: the same with configuration and connection", whole, None, " ms")


def wrong_secret(report: Report, where: Server, store: str, name: str) -> None:
    with folder() as home:
        given = connection(where, f"refused-{name}")
        given["extra"]["scope"] = "wrong"
        before = where.counts()["token"]
        outcome = run(Task(given, store, home, 500), timeout=170)
        report.figure(
            f"{name}: token requests, 500 processes, wrong secret", where.counts()["token"] - before, 1
        )
        report.figure(
            f"{name}: processes not told InvalidClientError", len(outcome.errors - {"InvalidClientError"}), 0
        )


def several_scopes(report: Report, where: Server, store: str, name: str) -> None:
    with folder() as home:
        before = where.counts()["token"]
        outcome = run(Task(connection(where, f"scopes-{name}"), store, home, 1000, scopes=10), timeout=170)
        requests = where.counts()["token"] - before
        report.figure(
            f"{name}: token requests, 1000 processes with 10 scopes of one connection", requests, 10
        )
        failed = sum(not result.token for result in outcome.results)
        report.figure(f"{name}: of those without a token", failed, 0)


def killed_leaders(report: Report, where: Server, rounds: int) -> None:
    with folder() as home:
        given = connection(where, "killed", max_wait=BUDGET)
        task = Task(given, "file", home, 200, kill_after=(0.0, LATENCY * 1.2), kills=3, rounds=rounds)
        outcome = run(task, timeout=60.0 * rounds)
        more = [requests - killed for requests, killed in zip(outcome.requests, outcome.killed, strict=True)]
        report.figure(f"files: most requests beyond the kills, {rounds} rounds of 200", max(more), 1)
        report.figure("files: leaders killed", sum(outcome.killed), None)
        report.figure(
            "files: longest wait of anybody", max(result.seconds for result in outcome.results), BUDGET, " s"
        )
        report.figure(
            "files: processes without a token", sum(not result.token for result in outcome.results), 0
        )


def main(rounds: int) -> None:
    report = Report("A fleet of processes")
    with server(latency=LATENCY) as where, RedisServer() as redis:
        for store, name, limit in (("file", "files", 2.0), (redis.url, "Redis", 5.0)):
            cold_start(report, where, store, name)
            warm_store(report, where, store, name, limit)
            several_scopes(report, where, store, name)
            wrong_secret(report, where, store, name)
        with StrictServers() as strict:
            for store, name in (("file", "files"), (redis.url, "Redis")):
                strict_start(report, strict_deployment(FAPI, strict.fapi), store, name)
        others(report, where)
        if rounds:
            killed_leaders(report, where, rounds)
    report.end()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
