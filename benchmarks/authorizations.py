"""What the command line costs other commands, and how long a check of 200 connections takes."""

from __future__ import annotations

import json
import logging
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from pathlib import Path

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
CHECK = """
import json, time
from airflow.utils.db import check_and_run_migrations
from airflow_oauth_provider.authorizations import Target, check_all
from airflow_oauth_provider.authorizations.stored import find_connections
check_and_run_migrations()  # as every command of Airflow has before it begins
began = time.perf_counter()
targets = [Target.of(each) for each in find_connections()]
reading = time.perf_counter() - began
results = check_all(targets)
print(json.dumps([reading, time.perf_counter() - began, sum(result.ok for result in results)]))
"""
AIRFLOW = [sys.executable, "-W", "ignore", "-m", "airflow"]


def migrated(at: Server, home: str) -> dict[str, str]:
    """Store the connections in a metadata database; return the environment of Airflow on it."""
    environment = {
        **ENVIRONMENT,
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__OAUTH2__TOKEN_STORE": "file",
    }
    file = Path(home) / "connections.json"
    given = {f"api_{number:03}": at.connection(scope=f"scope-{number}") for number in range(CONNECTIONS)}
    file.write_text(json.dumps(given))
    for arguments in (("db", "migrate"), ("connections", "import", str(file))):
        subprocess.run([*AIRFLOW, *arguments], env=environment, check=True, capture_output=True)
    return environment


def check_in_process(environment: dict[str, str]) -> tuple[float, float, int]:
    """Return seconds for reading and checking, those of them for reading, and results that are ok."""
    program = [sys.executable, "-W", "ignore", "-c", CHECK]
    ended = subprocess.run(program, env=environment, check=True, capture_output=True, text=True)
    reading, seconds, ok = json.loads(ended.stdout.splitlines()[-1])
    return seconds, reading, ok


def check_by_command(environment: dict[str, str]) -> tuple[float, int]:
    """Return seconds that ``airflow oauth2 check --all`` takes, Airflow's own start included."""
    began = time.perf_counter()
    check = [*AIRFLOW, "oauth2", "check", "--all", "--json"]
    ended = subprocess.run(check, env=environment, check=False, capture_output=True)
    return time.perf_counter() - began, sum(report["ok"] for report in json.loads(ended.stdout))


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
        environment = migrated(at, home)
        seconds, reading, ok = check_in_process(environment)
        counts = at.counts()
        report.figure(
            f"check of {CONNECTIONS} stored connections, token latency {LATENCY * 1000:g} ms",
            seconds,
            4,
            " s",
        )
        report.figure("  of that, reading them from the metadata database", reading, None, " s")
        report.figure("  of them without a token", CONNECTIONS - ok, 0)
        report.figure("  token requests", counts["token"], CONNECTIONS)
        report.figure("  at once, by the server's own count", counts["most at once"], 4)
        seconds, ok = check_by_command(environment)
        report.figure(
            "  the same by `airflow oauth2 check --all`, Airflow's start included", seconds, None, " s"
        )
        report.figure("  of them without a token", CONNECTIONS - ok, 0)
        report.figure("  at once, by the server's own count", at.counts()["most at once"], 4)
    report.end()


if __name__ == "__main__":
    main()
