"""A real nginx in front of an API."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.support.ports import free_port
from tests.support.servers.missing import ServerMissingError
from tests.support.waiting import listens, until

_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""
_SERVER = """server {{
    listen 127.0.0.1:{port};
    location /api/ {{ proxy_pass {upstream}/api/; proxy_read_timeout 1s; proxy_http_version 1.1; }}
    location /moved/ {{ return 308 http://127.0.0.1:{port}/api/; }}
    location /reset/ {{ return 444; }}
    location /slow/ {{ proxy_pass {upstream}/api/; proxy_http_version 1.1; limit_rate 20000; }}
}}"""


class Nginx:
    """Start nginx on a free port for a ``with`` block.

    :param upstream: URL of the server behind it.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self, folder: Path) -> str:
        """Return the block ``server``; files that it names may be written to *folder*."""
        return _SERVER.format(port=self.port, upstream=self._upstream)

    def __enter__(self) -> Self:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            raise ServerMissingError("nginx not found: install the package nginx-light")
        self._folder = tempfile.TemporaryDirectory(prefix="nginx-")
        # Its worker runs as another user.
        Path(self._folder.name).chmod(0o755)
        configuration = Path(self._folder.name) / "nginx.conf"
        server = self.configure(Path(self._folder.name))
        configuration.write_text(_CONFIGURATION.format(folder=self._folder.name, server=server))
        self._process = subprocess.Popen(
            [program, "-p", self._folder.name, "-c", str(configuration), "-e", "stderr"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: listens(self.port), "nginx to listen")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._folder.cleanup()
