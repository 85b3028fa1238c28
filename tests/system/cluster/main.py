"""A distributed run: CeleryExecutor with Redis and PostgreSQL, two workers, many mapped tasks.

Every component is real and runs on loopback: API server, scheduler, DAG processor, two workers with
homes of their own, so that they share nothing but Redis. At the end the authorization server's own
count of token requests must be 1, the history must know every token that tasks of either worker were
given, and ``airflow oauth2 used-by`` the task. ``make test-cluster TASKS=200``
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.demo.orders import OrdersServer
from tests.support.ports import free_port
from tests.support.servers.postgresql import postgres
from tests.support.servers.redis_server import RedisServer

DEADLINE = 600.0
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TOKENS_GIVEN = """
import sys, time
from airflow.sdk import BaseHook
from airflow_oauth_provider.authorizations.history import history_of
connection, ends_at = BaseHook.get_connection("orders_api"), time.monotonic() + 30
while True:  # a task's process ends a moment after its task
    counts = history_of(connection).total(0, time.time() + 60)
    if counts.tokens >= int(sys.argv[1]) or time.monotonic() > ends_at:
        break
    time.sleep(0.2)
print("tokens given:", counts.tokens, "requested:", counts.granted)
"""
TASK_STATES = "select state, count(*) from task_instance group by state"


class Cluster:
    """The components, started one after the other and stopped together."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self._running: list[subprocess.Popen[bytes]] = []

    def command(self, *arguments: str) -> str:
        return self.run("-m", "airflow", *arguments)

    def run(self, *arguments: str) -> str:
        """Have Python carry something out; return what it prints."""
        ended = subprocess.run(
            [sys.executable, *arguments],
            env={**self.environment, "AIRFLOW_HOME": str(self._home("main"))},
            check=False,
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{ended.stdout[-2000:]}\n{ended.stderr[-3000:]}")
        return ended.stdout

    def start(self, name: str, *arguments: str) -> None:
        """Start one; each has a home and a log of its own."""
        home = self._home(name)
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                env={**self.environment, "AIRFLOW_HOME": str(home)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)

    def stop(self) -> None:
        for process in reversed(self._running):
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        for process in self._running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)

    def logs(self) -> str:
        return "\n".join(f"--- {file.name}\n{file.read_text()[-2500:]}" for file in self.folder.glob("*.log"))

    def _home(self, name: str) -> Path:
        home = self.folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        return home


def environment(database: str, redis: RedisServer, orders: OrdersServer, tasks: int) -> dict[str, str]:
    port = free_port()
    sections = {
        "CORE__EXECUTOR": "CeleryExecutor",
        "CORE__DAGS_FOLDER": str(HERE),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "CORE__PARALLELISM": "32",
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "API__SECRET_KEY": secrets.token_hex(32),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__WORKERS": "1",
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "CELERY__BROKER_URL": redis.url.removesuffix("0") + "1",
        "CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
        "OAUTH2__TOKEN_STORE": redis.url,
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        **{f"AIRFLOW__{name}": value for name, value in sections.items()},
        "AIRFLOW_CONN_ORDERS_API": json.dumps(orders.connection()),
        "CLUSTER_TASKS": str(tasks),
        "C_FORCE_ROOT": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }


def wait_for_tasks(database: str, tasks: int) -> dict[str, int]:
    """Wait until all tasks have ended; tell the progress."""
    import psycopg2

    ends_at, reported = time.monotonic() + DEADLINE, -1
    while time.monotonic() < ends_at:
        connection = psycopg2.connect(f"postgresql://{database}")
        try:
            with connection.cursor() as cursor:
                cursor.execute(TASK_STATES)
                states = {str(state): int(count) for state, count in cursor.fetchall()}
        finally:
            connection.close()
        ended = states.get("success", 0) + states.get("failed", 0)
        if ended // 20 != reported:
            reported = ended // 20
            print(f"  {ended} of {tasks} tasks have ended", flush=True)
        if ended >= tasks:
            return states
        time.sleep(1)
    return {}


def remembered(cluster: Cluster, tasks: int) -> bool:
    """Whether what tasks of both workers have left is told of the connection, in full."""
    tokens = cluster.run("-c", TOKENS_GIVEN, str(tasks)).splitlines()[-1]
    (use,) = (
        (dag["dag_id"], use["task_id"], use["how"], use["last_used_at"] is not None)
        for dag in json.loads(cluster.command("oauth2", "used-by", "orders_api", "--json"))["used_by"]
        for use in dag["uses"]
    )
    print(f"The history: {tokens}; used by {use}")
    return tokens == f"tokens given: {tasks} requested: 1" and use == (
        "mapped_calls",
        "call",
        "declared, seen",
        True,
    )


def main(tasks: int) -> int:
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster-")))
        orders = stack.enter_context(OrdersServer())
        redis = stack.enter_context(RedisServer())
        database = stack.enter_context(postgres())
        cluster = Cluster(folder, environment(database, redis, orders, tasks))
        stack.callback(cluster.stop)
        print("Airflow's database …", flush=True)
        cluster.command("db", "migrate")
        cluster.start("api-server", "api-server")
        cluster.start("scheduler", "scheduler", "--skip-serve-logs")
        cluster.start("dag-processor", "dag-processor")
        for number in (1, 2):
            worker = ("celery", "worker", "--concurrency", "4", "--skip-serve-logs", "--without-gossip")
            cluster.start(f"worker-{number}", *worker, "--celery-hostname", f"worker{number}@%h")
        running = time.monotonic()
        print(f"Two workers, {tasks} mapped tasks …", flush=True)
        states = wait_for_tasks(database, tasks)
        seconds = time.monotonic() - running
        counts = orders.counts()
        print(f"{states} after {seconds:.0f} s; the server counted {dict(counts)}")
        good = states.get("success") == tasks and counts == {"token requests": 1, "API calls": tasks}
        good = good and remembered(cluster, tasks)
        if not good:
            print(cluster.logs())
    print(f"{'Passed' if good else 'FAILED'} ({time.monotonic() - began:.0f} s in all)")
    return 0 if good else 1


if __name__ == "__main__":
    if shutil.which("redis-server") is None:
        raise SystemExit("Redis is not installed: apt-get install redis-server")
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
