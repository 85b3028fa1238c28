"""A real forward proxy (tinyproxy), with or without credentials."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.support.ports import free_port
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.program import end
from tests.support.waiting import listens, until


class Proxy:
    """Start tinyproxy on a free port for a ``with`` block.

    :param credentials: ``user:password`` it wants; ``None`` for an open one.
    """

    def __init__(self, credentials: str | None = None) -> None:
        self._credentials = credentials
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def __enter__(self) -> Self:
        program = shutil.which("tinyproxy")
        if program is None:
            raise ServerMissingError("tinyproxy not found: install the package tinyproxy-bin")
        self._folder = tempfile.TemporaryDirectory(prefix="proxy-")
        self._log = Path(self._folder.name) / "log"
        lines = [
            f"Port {self.port}",
            "Listen 127.0.0.1",
            "Timeout 20",
            f'LogFile "{self._log}"',
            "LogLevel Connect",
        ]
        if self._credentials:
            lines.append("BasicAuth " + self._credentials.replace(":", " "))
        configuration = Path(self._folder.name) / "tinyproxy.conf"
        configuration.write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            [program, "-d", "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: listens(self.port), "tinyproxy to listen")
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        self._folder.cleanup()
