"""A Redis of our own: on a free loopback port or a socket, stopped afterwards."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from typing import Any, Self

from tests.support.ports import free_port
from tests.support.servers.missing import ServerMissingError
from tests.support.waiting import until


class RedisServer:
    """Run ``redis-server`` without persistence.

    :param options: further configuration, e.g. ``maxmemory="1mb"``.
    """

    def __init__(self, **options: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise ServerMissingError("redis-server is not installed")
        self._program = program
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Any = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        arguments = [
            self._program,
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            self._folder.name,
        ]
        arguments += ["--save", "", "--appendonly", "no"]
        for name, value in self._options.items():
            arguments += [f"--{name.replace('_', '-')}", value]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._is_up, "Redis to answer")

    def _is_up(self) -> bool:
        try:
            return bool(self.client().ping())
        except OSError:
            return False
        except Exception as error:
            if type(error).__name__ not in {"ConnectionError", "BusyLoadingError"}:
                raise
            return False

    def client(self) -> Any:
        """Return a client that is closed with the server: what garbage closes, it may close too late."""
        import redis

        if self._client is None:
            self._client = redis.Redis(port=self.port)
        return self._client

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def freeze(self) -> None:
        """Let it accept connections and answer nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()
