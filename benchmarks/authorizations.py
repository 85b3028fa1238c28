"""What the command line costs other commands, and how long a check of 200 connections takes."""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import Report, Server, server
from benchmarks.imports import ENVIRONMENT, printed

CONNECTIONS = 200
LATENCY = 0.05
ROUNDS = 5
DEFINITIONS = """
import json, sys, time, warnings; warnings.simplefilter("ignore")
import airflow.cli.cli_config, airflow_oauth_provider
before, began = set(sys.modules), time.process_time()
from airflow_oauth_provider.cli.definition import get_oauth2_cli_commands
get_oauth2_cli_commands()
cost = (time.process_time() - began) * 1000
new = [name for name in set(sys.modules) - before if not name.startswith("airflow_oauth_provider.cli")]
print(json.dumps([new, cost]))
"""


def connections(at: Server) -> list[Any]:
    from airflow.sdk import Connection

    found = []
    for number in range(CONNECTIONS):
        given = at.connection(scope=f"scope-{number}")
        extra = json.dumps(given.pop("extra"))
        found.append(Connection(conn_id=f"api_{number}", extra=extra, **given))
    return found


def check_in_process(at: Server) -> tuple[float, int]:
    """Return seconds and results that are ok."""
    from airflow_oauth_provider.authorizations import Target, check_all
    from airflow_oauth_provider.tokens.manager import shared

    shared.clear()
    targets = [Target.of(each) for each in connections(at)]
    began = time.perf_counter()
    results = check_all(targets)
    return time.perf_counter() - began, sum(result.ok for result in results)


def check_by_command(at: Server, home: str) -> tuple[float, int]:
    """Return seconds that ``airflow oauth2 check --all`` takes, Airflow's own start included."""
    environment = {**ENVIRONMENT, "AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    airflow = [sys.executable, "-W", "ignore", "-m", "airflow"]
    subprocess.run([*airflow, "db", "migrate"], env=environment, check=True, capture_output=True)
    stored = {each.conn_id: json.loads(each.as_json()) for each in connections(at)}
    file = Path(home) / "connections.json"
    file.write_text(json.dumps(stored))
    imported = [*airflow, "connections", "import", str(file)]
    subprocess.run(imported, env=environment, check=True, capture_output=True)
    began = time.perf_counter()
    check = [*airflow, "oauth2", "check", "--all", "--json"]
    ended = subprocess.run(check, env=environment, check=False, capture_output=True)
    return time.perf_counter() - began, sum(each["ok"] for each in json.loads(ended.stdout))


def main() -> None:
    logging.disable(logging.CRITICAL)
    report = Report("Authorizations")
    new: list[str] = []
    costs: list[float] = []
    for _ in range(ROUNDS):
        modules, cost = json.loads(printed(DEFINITIONS).splitlines()[-1])
        new, costs = [*new, *modules], [*costs, cost]
    report.figure("modules that the definitions import beyond airflow.cli.cli_config", len(set(new)), 0)
    report.figure("importing the definitions, CPU", statistics.median(costs), 5, " ms")
    with tempfile.TemporaryDirectory() as home, server(latency=LATENCY) as at:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__OAUTH2__TOKEN_STORE": "file"}
        seconds, ok = check_in_process(at)
        counts = at.counts()
        report.figure(
            f"check of {CONNECTIONS} connections, token latency {LATENCY * 1000:g} ms", seconds, 4, " s"
        )
        report.figure("  of them without a token", CONNECTIONS - ok, 0)
        report.figure("  token requests", counts["token"], CONNECTIONS)
        report.figure("  at once, by the server's own count", counts["most at once"], 4)
        seconds, ok = check_by_command(at, home)
        report.figure(
            "  the same by `airflow oauth2 check --all`, Airflow's start included", seconds, None, " s"
        )
        report.figure("  of them without a token", CONNECTIONS - ok, 0)
        report.figure("  at once, by the server's own count", at.counts()["most at once"], 4)
    report.end()


if __name__ == "__main__":
    main()
