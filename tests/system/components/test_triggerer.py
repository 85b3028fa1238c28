"""Airflow's real scheduler, DAG processor, API server and triggerer; the triggerer is killed.

Each component is a process of its own on loopback. What came of it is read from the database, what was
sent is the server's own count.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import CommandLine
from tests.demo.dag_runs import EXAMPLES, ROOT
from tests.demo.orders import CLIENT_SECRET, RETRY_AFTER, OrdersServer
from tests.support.ports import free_port
from tests.test_get_provider_info import VERSION

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(VERSION < (3, 3), reason="the newest Airflow; shared polls came with 3.3"),
]
DAGS = Path(__file__).parent / "dags"
DEADLINE = 240.0


class Airflow:
    """The components, all on one home as on one machine."""

    def __init__(self, home: Path, orders: OrdersServer) -> None:
        self.home = home
        dags = home / "dags"
        shutil.copytree(DAGS, dags)
        for name in ("deferred_call", "wait_for_job", "on_change", "notify_on_failure", "retry_policy"):
            shutil.copy(EXAMPLES / f"{name}.py", dags)
        port = free_port()
        sections = {
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__DAGS_FOLDER": str(dags),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "API__SECRET_KEY": secrets.token_hex(32),
            "API__HOST": "127.0.0.1",
            "API__PORT": str(port),
            "API__WORKERS": "1",
            # Five components write to one file: each waits for the others as long as it takes.
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
            "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
            "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            # The files stay as they are: to parse them all again every half minute takes a core some seconds.
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "OAUTH2__TOKEN_STORE": "file",
        }
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            **{f"AIRFLOW__{name}": value for name, value in sections.items()},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_ORDERS_API": json.dumps(orders.connection()),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        self.commands = CommandLine(home)
        self.commands.environment = self.environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started = 0

    def start(self, name: str, *arguments: str) -> None:
        self._started += 1
        with (self.home / f"{name}-{self._started}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", name, *arguments],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        for process in self._running.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)

    def states(self, dag_id: str) -> dict[str, str]:
        """Return task id → state, of all runs of a DAG."""
        rows = self.rows("select task_id, state from task_instance where dag_id = ?", dag_id)
        return {task: str(state) for task, state in rows}

    def runs(self, dag_id: str) -> int:
        return int(self.rows("select count(*) from dag_run where dag_id = ?", dag_id)[0][0])

    def rows(self, query: str, *values: Any) -> list[Any]:
        database = sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=20)
        try:
            return database.execute(query, values).fetchall()
        finally:
            database.close()

    def logs(self) -> str:
        files = [*self.home.glob("*.log"), *self.home.glob("logs/**/*.log")]
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files)

    def trigger(self, *dag_ids: str) -> None:
        for dag_id in dag_ids:
            ended = self.commands("dags", "trigger", dag_id)
            assert ended.code == 0, (ended.err or ended.out)[-3000:]


@pytest.fixture
def orders() -> Iterator[OrdersServer]:
    with OrdersServer() as server:
        yield server


@pytest.fixture
def airflow(tmp_path: Path, orders: OrdersServer) -> Iterator[Airflow]:
    running = Airflow(tmp_path / "home", orders)
    with running.commands:
        try:
            running.start("api-server")
            running.start("dag-processor")
            running.start("scheduler", "--skip-serve-logs")
            running.start("triggerer", "--skip-serve-logs")
            yield running
        finally:
            running.stop()


def until(happens: Callable[[], object], airflow: Airflow, what: str) -> None:
    ends_at = time.monotonic() + DEADLINE
    while time.monotonic() < ends_at:
        try:
            if happens():
                return
        except sqlite3.OperationalError:  # the database is just being made, or written to
            pass
        time.sleep(0.5)
    pytest.fail(f"waited in vain: {what}\n{airflow.logs()}")


@pytest.mark.fault("L12")
def test_deferred_tasks_outlive_the_triggerer(airflow: Airflow, orders: OrdersServer) -> None:
    orders.slowness = 12.0
    for number in range(3):
        orders.exports[number] = 10**6  # running, until it is told otherwise
    dags = {"many_deferred", "oauth2_deferred_call", "oauth2_wait_for_job", "oauth2_on_change"}
    dags |= {"oauth2_notify_on_failure", "oauth2_retry_policy"}
    until(lambda: dags <= {row[0] for row in airflow.rows("select dag_id from dag")}, airflow, "DAGs")
    # That one last: on a busy machine commands take longer than some of its tasks are deferred.
    airflow.trigger("oauth2_deferred_call", "oauth2_wait_for_job", "many_deferred")

    # The sensors wait until they are told; of the others a busy machine may never hold all at once.
    until(
        lambda: (
            _deferred(airflow, "wait") == {0, 1, 2}
            and _deferred(airflow, "post")
            and any(kind == "API calls" for _, kind in orders.seen)
        ),
        airflow,
        "deferred tasks",
    )
    posted = _deferred(airflow, "post")
    airflow.kill("triggerer")
    assert posted <= orders.reluctant.keys(), "the worker made the first call before it deferred"
    orders.slowness = 0.5
    airflow.start("triggerer", "--skip-serve-logs")
    for number in range(3):
        orders.exports[number] = 2

    def ended() -> bool:
        states = airflow.states("many_deferred")
        return len(states) == 11 and set(states.values()) <= {"success", "failed"}

    until(ended, airflow, "the end of all tasks")
    states = airflow.states("many_deferred")
    assert states.pop("gone") == "failed", "and nothing else with it"
    assert set(states.values()) == {"success"}, states
    assert dict(orders.reluctant) == {0: 2, 1: 2, 2: 2}, "each POST once, and once more as retry_args say"

    until(lambda: airflow.states("oauth2_deferred_call") == {"fetch_orders": "success"}, airflow, "example")
    until(lambda: airflow.states("oauth2_wait_for_job") == {"wait_for_export": "success"}, airflow, "example")
    _watchers(airflow, orders)
    _callbacks_and_retries(airflow, orders)
    assert orders.counts()["token requests"] == 1, "all processes share the store, the new triggerer too"
    everything = airflow.logs() + (airflow.home / "airflow.db").read_bytes().decode("latin-1")
    assert CLIENT_SECRET not in everything
    assert not [token for token in orders._tokens if token in everything]


def _deferred(airflow: Airflow, kind: str) -> set[int]:
    """Return the numbers of the deferred tasks of a kind."""
    states = airflow.states("many_deferred")
    return {number for number in range(3) if states.get(f"{kind}_{number}") == "deferred"}


def _watchers(airflow: Airflow, orders: OrdersServer) -> None:
    """Two DAGs watch one resource: each change is told once, by one poll."""
    assert airflow.runs("oauth2_on_change") == 0, "nothing has changed yet"
    orders.prices = 2
    until(lambda: airflow.runs("oauth2_on_change") == 1, airflow, "a run for the second version")
    orders.prices = 3
    until(lambda: airflow.runs("oauth2_on_change") == 2, airflow, "a run for the third version")
    until(lambda: airflow.runs("third_version") == 1, airflow, "the other watcher's run")
    began = time.time()
    time.sleep(8)
    polls = orders.counts(since=began)["API calls"]
    assert polls <= (time.time() - began) / 2 + 2, "two watchers, one poll every 2 s"
    assert (airflow.runs("oauth2_on_change"), airflow.runs("third_version")) == (2, 1)


def _callbacks_and_retries(airflow: Airflow, orders: OrdersServer) -> None:
    """A failed task is told of; a busy API is asked again when it said, not when ``retry_delay`` does."""
    orders.busy = 1
    airflow.trigger("oauth2_notify_on_failure", "oauth2_retry_policy")
    until(
        lambda: airflow.states("oauth2_notify_on_failure") == {"import_orders": "failed"}, airflow, "failure"
    )
    until(lambda: bool(orders.posted), airflow, "the notifier's call")
    assert [order["article"] for order in orders.posted] == ["import_orders"]
    until(lambda: airflow.states("oauth2_retry_policy") == {"count_orders": "success"}, airflow, "a retry")
    refused_at = next(at for at, kind in orders.seen if kind == "busy")
    rows = airflow.rows(
        "select try_number, unixepoch(start_date) from task_instance where dag_id = ?", "oauth2_retry_policy"
    )
    assert rows[0][0] == 2
    assert rows[0][1] >= refused_at + RETRY_AFTER - 1, "the database has whole seconds here"
