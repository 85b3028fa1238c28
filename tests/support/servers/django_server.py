"""The authorization server ``django-oauth-toolkit``, and an API that it protects."""

from __future__ import annotations

import fcntl
import os
import secrets
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.support.plain_client import session
from tests.support.servers.certificates import authority, issue
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.program import Program

ROOT = Path(__file__).parents[3]
#: Apart from Airflow, whose own web framework it does not share.
ENVIRONMENT = ROOT / ".venv-servers"
CONSTRAINTS = ROOT / ".ci" / "constraints" / "servers.txt"
PROGRAM = Path(__file__).parent / "django_toolkit" / "server.py"
CLIENT_ID = "a django:client"
LIFETIME = 240
CERTIFICATE_AUTHORITY = authority("Django CA")


class DjangoServer:
    """Start it for a ``with`` block."""

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(24) + " %+&"

    def __enter__(self) -> Self:
        _install()
        self._folder = tempfile.TemporaryDirectory(prefix="django-")
        tls = issue(CERTIFICATE_AUTHORITY)
        options = {
            "tls": {"key": tls.key, "certificate": tls.certificate},
            "clients": [{"client_id": CLIENT_ID, "client_secret": self.secret}],
            "folder": self._folder.name,
            "lifetime": LIFETIME,
        }
        python = str(ENVIRONMENT / "bin" / "python")
        self._program = Program([python, "-I", str(PROGRAM)], Path(self._folder.name), options)
        self.url: str = self._program.__enter__().started["url"]
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()
        self._folder.cleanup()

    @property
    def issuer(self) -> str:
        return f"{self.url}/o"

    def requests(self, path: str = "/token/") -> list[dict[str, Any]]:
        """Return what came in since the last :meth:`reset`, as the server saw it.

        :param path: the end of the path of those requests.
        """
        recorded: list[dict[str, Any]] = self._ask("GET")["requests"]
        return [request for request in recorded if request["path"].endswith(path)]

    def reset(self) -> None:
        self._ask("DELETE")

    def metadata(self) -> dict[str, Any]:
        document: dict[str, Any] = (
            session(CERTIFICATE_AUTHORITY.certificate)
            .get(f"{self.url}/.well-known/oauth-authorization-server/o", timeout=60)
            .json()
        )
        return document

    def _ask(self, method: str) -> dict[str, Any]:
        url = f"{self.url}/_test/requests"
        reply: dict[str, Any] = (
            session(CERTIFICATE_AUTHORITY.certificate).request(method, url, timeout=60).json()
        )
        return reply


def _install() -> None:
    """Install it, once for each set of constraints.

    :raises ServerMissingError: when it cannot be had.
    """
    done = ENVIRONMENT / ".installed"
    with CONSTRAINTS.open() as constraints:
        fcntl.flock(constraints, fcntl.LOCK_EX)  # tests run in several processes
        if done.exists() and done.read_text() == CONSTRAINTS.read_text():
            return
        # Without what a virtual environment or a test process leaves in the environment of its children.
        left_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHON"}
        ended = subprocess.run(
            [ROOT / ".ci" / "install", ENVIRONMENT, CONSTRAINTS, "--group", "servers"],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name not in left_out},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        if ended.returncode:
            raise ServerMissingError(
                f"django-oauth-toolkit could not be installed (status {ended.returncode})"
            )
        done.write_text(CONSTRAINTS.read_text())
