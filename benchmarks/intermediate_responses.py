"""What large responses on the way to the last one cost in memory: a 401, a redirect, of 300 MB each.

The highest resident memory of this process, which is a triggerer's (a hook that the triggers of a loop
share) and then a worker's, before and after.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import os
import resource
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import Report  # noqa: E402

SIZE = 300 * 1024 * 1024
LIMIT = 2.0
"""MB more, at the most."""
_BLOCK = b"x" * 65536
_numbers = itertools.count(1)
_met: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    """Below ``/api``, of ``<status>-<framing>-<bytes>-<name>``: that at first, and then 200."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        token = f"token-{next(_numbers):06}"
        self._reply(
            200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600}).encode()
        )

    def do_GET(self) -> None:
        status, framing, size, _ = self.path.removeprefix("/api/").split("-")
        if self.path in _met:
            self._reply(200, b"{}")
            return
        _met.add(self.path)
        self.send_response(int(status))
        if status == "302":
            self.send_header("Location", self.path)
        if framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", size)
        self.end_headers()
        try:
            self._body(int(size), chunked=framing == "chunked")
        except ConnectionError:
            self.close_connection = True

    def _body(self, size: int, *, chunked: bool) -> None:
        while size > 0:
            block = _BLOCK[:size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            size -= len(block)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _serve(ready: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    ready.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def _server() -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()


def _highest() -> float:
    """Return the highest resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_a_triggerer(endpoints: list[str]) -> None:
    from airflow_oauth_provider.hooks.shared_hook import shared_hook

    async def calls() -> None:
        async with shared_hook("bench", "GET", None) as hook:
            for endpoint in endpoints:
                await hook.arun(endpoint, max_body=8 * 1024 * 1024)

    asyncio.run(calls())


def _in_a_worker(endpoints: list[str]) -> None:
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    hook = OAuth2Hook("bench", method="GET")
    for endpoint in endpoints:
        hook.run(endpoint)


def main(url: str) -> None:
    import logging

    logging.disable(logging.CRITICAL)
    os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(
        {
            "conn_type": "oauth2_client_credentials",
            "host": f"{url}/token",
            "login": "bench",
            "password": "the-secret-of-the-benchmark",
            "extra": {"base_url": f"{url}/api"},
        }
    )
    report = Report(f"Responses on the way of {SIZE // 1024 // 1024} MB each: memory that they cost")
    works: dict[str, Callable[[list[str]], None]] = {"triggerer": _in_a_triggerer, "worker": _in_a_worker}
    for process, work in works.items():
        kinds = [(status, framing) for status in (401, 302) for framing in ("length", "chunked")]
        # The same calls with small bodies, so that what they cost by themselves is there.
        work(
            [f"{status}-{framing}-60000-{process}{index}" for index in range(5) for status, framing in kinds]
        )
        for status, framing in kinds:
            before = _highest()
            work([f"{status}-{framing}-{SIZE}-{process}{index}" for index in range(3)])
            what = f"{process}: 3 calls by way of a {status}, {framing}"
            report.figure(what, _highest() - before, LIMIT, " MB")
    report.end()


if __name__ == "__main__":
    with _server() as running:
        main(running)
