"""A real Airflow, as small as its pages allow: a fresh home, SQLite and one API server on loopback.

``airflow standalone`` is avoided on purpose: it starts a scheduler and a triggerer nobody needs here, and log
servers that listen on every network interface.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

import requests

from tests.support.migrated import migrate
from tests.support.ports import free_port

if TYPE_CHECKING:
    from types import TracebackType

#: User name to role. Both log in with ``AirflowServer.password``.
USERS = {"admin": "admin", "viewer": "viewer"}
#: A client of the REST API, which gets its tokens by its name and the same password.
SERVICE = "nightly-service"
ROLES = {**USERS, SERVICE: "user"}
#: Seconds; a cold start that has to compile every module takes most of it.
START_DEADLINE = 400.0
#: Seconds for one REST call. The Test route is the slow one: it waits for the connection's own server.
CALL_TIMEOUT = 120.0


class AirflowServer:
    """Airflow's pages and REST API for one test module, gone without a trace afterwards."""

    def __init__(self, *, environment: dict[str, str] | None = None, path: str = "") -> None:
        """Prepare, start nothing.

        :param environment: variables for the server besides its own configuration, for example
            ``{"AIRFLOW__OAUTH2__ALLOWED_API_HOSTS": "127.0.0.1"}``. ``None`` adds nothing.
        :param path: below which Airflow is served, as behind a reverse proxy: ``/airflow``.
        """
        self.password = secrets.token_urlsafe(12)
        self._folder = tempfile.TemporaryDirectory(prefix="airflow-browser-", ignore_cleanup_errors=True)
        self.home = Path(self._folder.name)
        self.log_file = self.home / "api-server.log"
        self.port = free_port()
        self.path = path
        self._environment = self._child_environment(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def url(self) -> str:
        """Base address of the pages, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    # Life

    def __enter__(self) -> Self:
        """Migrate, start, and wait until the first page can be served."""
        try:
            self._write_passwords()
            migrate(self._environment)
            self._start()
            self._wait_until_healthy()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop what was started and remove the home."""
        self._stop()

    def log(self) -> str:
        """Return everything the server printed: what a leak test wants to search, and a failure to show."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    # REST

    def token(self, user: str = "admin") -> str:
        """Return the user's JWT for the REST API, from Airflow's own login route."""
        if user not in self._tokens:
            response = self._session.post(
                f"{self.url}/auth/token",
                json={"username": user, "password": self.password},
                timeout=CALL_TIMEOUT,
            )
            response.raise_for_status()
            self._tokens[user] = str(response.json()["access_token"])
        return self._tokens[user]

    def call(self, method: str, path: str, *, user: str = "admin", body: object = None) -> requests.Response:
        """Send one REST call below ``/api/v2`` and return the response, whatever its status."""
        return self._session.request(
            method,
            f"{self.url}/api/v2{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token(user)}"},
            timeout=CALL_TIMEOUT,
        )

    def connection(self, conn_id: str) -> dict[str, Any]:
        """Return a stored connection as the REST API shows it: secrets masked, ``extra`` already parsed."""
        response = self.call("GET", f"/connections/{conn_id}")
        response.raise_for_status()
        stored: dict[str, Any] = response.json()
        stored["extra"] = json.loads(stored["extra"] or "{}")
        return stored

    def stored_connection(self, conn_id: str) -> dict[str, Any]:
        """Return a connection as the database holds it, secrets and all: the REST API never shows them."""
        with contextlib.closing(sqlite3.connect(self._database)) as database:
            database.row_factory = sqlite3.Row
            row = database.execute("SELECT * FROM connection WHERE conn_id = ?", (conn_id,)).fetchone()
        stored = dict(row)
        stored["extra"] = json.loads(stored["extra"] or "{}")
        return stored

    def add_connection(self, conn_id: str, conn_type: str, **fields: object) -> None:
        """Create a connection over REST; ``extra`` is given as a mapping."""
        self.call("POST", "/connections", body=_body(conn_id, conn_type, fields)).raise_for_status()

    def delete_connection(self, conn_id: str) -> None:
        """Remove a connection; one that does not exist is as good as removed."""
        response = self.call("DELETE", f"/connections/{conn_id}")
        if response.status_code != requests.codes.not_found:
            response.raise_for_status()

    def patch_connection(self, conn_id: str, **fields: object) -> requests.Response:
        """Change only the named fields of a stored connection, as an administrator's script would."""
        stored = self.connection(conn_id)
        mask = "&".join(f"update_mask={name}" for name in fields)
        return self.call(
            "PATCH", f"/connections/{conn_id}?{mask}", body=_body(conn_id, stored["conn_type"], fields)
        )

    def test_connection(self, conn_id: str, conn_type: str, **fields: object) -> requests.Response:
        """Ask Airflow's Test route, as the Test button does, and return its response."""
        return self.call("POST", "/connections/test", body=_body(conn_id, conn_type, fields))

    def airflow(self, *arguments: str) -> str:
        """Run an ``airflow`` command in the server's home and return what it prints."""
        return self.python("-m", "airflow", *arguments)

    def python(self, *arguments: str, **variables: str) -> str:
        """Run Python in the server's home, as a task of the same host would, and return what it prints.

        :param variables: of its environment, beside those of the server.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self._environment | variables,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=START_DEADLINE,
            check=False,
        )
        if done.returncode:
            problem = f"python {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}"
            raise RuntimeError(problem)
        return done.stdout

    # Behind

    def _child_environment(self, extra: dict[str, str]) -> dict[str, str]:
        """Start from ours without any Airflow in it; let the child keep compiled modules: half the start."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "_AIRFLOW")) and name != "PYTHONDONTWRITEBYTECODE"
        }
        ours = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            # Without a key the database holds plain text, so that a test can compare what was stored.
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{u}:{role}" for u, role in ROLES.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords_file),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._database}",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return inherited | ours | extra

    @property
    def _database(self) -> Path:
        return self.home / "airflow.db"

    @property
    def _passwords_file(self) -> Path:
        return self.home / "passwords.json"

    def _write_passwords(self) -> None:
        self._passwords_file.write_text(json.dumps(dict.fromkeys(ROLES, self.password)))

    def _start(self) -> None:
        """Start in a session of its own, so that stopping reaches its workers and nobody else."""
        command = [sys.executable, "-m", "airflow", "api-server", "--apps", "core"]
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *address],
                env=self._environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                self._fail("ended before it was ready")
            if self._healthy():
                return
            time.sleep(0.2)
        self._fail(f"was not ready within {START_DEADLINE:.0f} s")

    def _healthy(self) -> bool:
        try:
            response = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5)
        except requests.RequestException:
            return False
        return response.ok and response.json()["metadatabase"]["status"] == "healthy"

    def _fail(self, what: str) -> NoReturn:
        problem = f"airflow api-server {what}; its last output:\n{self.log()[-4000:]}"
        raise RuntimeError(problem)

    def _stop(self) -> None:
        """Ask politely, then insist: uvicorn waits for open browser connections before it leaves."""
        self._session.close()
        process, self._process = self._process, None
        if process is not None:
            for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 10.0)):
                _signal_group(process.pid, number)
                try:
                    process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    continue
            _signal_group(process.pid, signal.SIGKILL)
        self._folder.cleanup()


def _signal_group(leader: int, number: signal.Signals) -> None:
    """Signal the process group that ``leader`` was started to lead; members may outlive it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


def _body(conn_id: str, conn_type: str, fields: dict[str, object]) -> dict[str, Any]:
    body: dict[str, object] = {"connection_id": conn_id, "conn_type": conn_type, **fields}
    if not isinstance(body.get("extra", ""), str):
        body["extra"] = json.dumps(body["extra"])
    return body
