"""What the benchmarks share: a server in a process of its own, paired rounds, and a verdict.

Every figure is a ratio of two things measured in turn within one run, or a count, so that it holds on
a noisy machine. A script prints its figures and ends with status 1 when a limit is missed.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import ssl
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

LIFETIME = 3600
RETRY_AFTER = 5
"""Seconds for which an API with a limit of calls asks to be left alone."""
WRONG = b"wrong"
"""A client whose scope contains this is refused."""


@dataclass(frozen=True)
class Tls:
    """Files (PEM) of a server that wants a client certificate.

    :param server: its certificate and key.
    :param client: likewise.
    :param authority: that has issued both.
    """

    server: str
    client: str
    authority: str

    def of_server(self) -> ssl.SSLContext:
        """Return the server's context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.server)
        context.load_verify_locations(self.authority)
        return context

    def of_client(self) -> ssl.SSLContext:
        """Return a client's context, as a user of aiohttp makes it."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.client)
        return context


@dataclass
class Server:
    """Where the server is; ``counts()`` asks it for its own count.

    :param tls: of a server that wants a client certificate; ``None`` for plain http.
    """

    port: int
    tls: Tls | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def counts(self) -> dict[str, int]:
        from urllib.request import urlopen

        context = self.tls.of_client() if self.tls else None
        with urlopen(f"{self.url}/counts", context=context) as response:
            counts: dict[str, int] = json.load(response)
        return counts

    def revoke(self) -> None:
        """Let the API refuse every token that was granted so far."""
        from urllib.request import urlopen

        urlopen(f"{self.url}/revoke").close()

    def connection(self, **extra: Any) -> dict[str, Any]:
        """Return a connection to it, for ``AIRFLOW_CONN_…``."""
        return {
            "conn_type": "oauth2_client_credentials",
            "host": f"{self.url}/token",
            "login": "bench",
            "password": "the-secret-of-the-benchmark",
            "extra": {"base_url": f"{self.url}/api", **extra},
        }


class RateLimit:
    """Calls of the API in any minute: of more it answers 429, and asks to be left alone.

    :param calls: so many; ``None`` for any number.
    """

    def __init__(self, calls: int | None) -> None:
        self._calls = calls
        self._accepted: deque[float] = deque()

    def refuses(self) -> bool:
        """Whether the call that has just come is too much; one that is refused does not count."""
        if self._calls is None:
            return False
        now = time.monotonic()
        while self._accepted and self._accepted[0] <= now - 60:
            self._accepted.popleft()
        if len(self._accepted) >= self._calls:
            return True
        self._accepted.append(now)
        return False


async def _serve(ready: Any, latency: float, tls: Tls | None, per_minute: int | None) -> None:
    rate = RateLimit(per_minute)
    counts = {
        "limited": 0,
        "token": 0,
        "api": 0,
        "connections": 0,
        "at once": 0,
        "most at once": 0,
        "granted": 0,
        "revoked": 0,
    }

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts["connections"] += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _content_length(head)
                body = await reader.readexactly(length) if length else b""
                writer.write(await _response(head + body, counts, latency, rate))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    context = tls.of_server() if tls else None
    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024, ssl=context)
    ready.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def _response(head: bytes, counts: dict[str, int], latency: float, rate: RateLimit) -> bytes:
    target = head.split(b" ", 2)[1]
    if target == b"/counts":
        return _json(counts)
    if target.startswith(b"/token"):
        counts["token"] += 1
        counts["at once"] += 1
        counts["most at once"] = max(counts["most at once"], counts["at once"])
        await asyncio.sleep(latency)
        counts["at once"] -= 1
        if WRONG in head:
            return _json({"error": "invalid_client"}, b"401 Unauthorized")
        number = counts["granted"] = counts["granted"] + 1
        kind = "DPoP" if b"\r\ndpop: " in head.lower() else "Bearer"
        return _json({"access_token": f"token-{number:06}", "token_type": kind, "expires_in": LIFETIME})
    if target == b"/revoke":
        counts["revoked"] = counts["granted"]
        return _json(counts)
    if rate.refuses():
        counts["api"] += 1
        counts["limited"] += 1
        return _json({"error": "busy"}, b"429 Too Many Requests\r\nRetry-After: %d" % RETRY_AFTER)
    return await _api_response(target, head, counts)


async def _api_response(target: bytes, head: bytes, counts: dict[str, int]) -> bytes:
    counts["api"] += 1
    if target.endswith(b"/guarded") and _token_number(head) <= counts["revoked"]:
        return _json({"error": "invalid_token"}, b"401 Unauthorized")
    status = target.rpartition(b"/status-")[2]
    if status == b"silent":
        await asyncio.sleep(3600)
    if status.isdigit():
        return _json({}, status + b" As Asked")
    return _json({"status": "ok"})


def _token_number(head: bytes) -> int:
    """Return the number of the token that a call carries; 0 for a call without."""
    digits = head.lower().partition(b"authorization: bearer token-")[2][:6]
    return int(digits) if digits.isdigit() else 0


def _json(content: Any, status: bytes = b"200 OK") -> bytes:
    body = json.dumps(content).encode()
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def _run_server(ready: Any, latency: float, tls: Tls | None, per_minute: int | None) -> None:
    asyncio.run(_serve(ready, latency, tls, per_minute))


@contextmanager
def server(
    *, latency: float = 0.0, tls: Tls | None = None, per_minute: int | None = None
) -> Iterator[Server]:
    """Run a token endpoint and an API on loopback.

    :param latency: seconds the token endpoint takes.
    :param tls: of one that wants a client certificate.
    :param per_minute: calls of the API in any minute; ``None`` for any number.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_server, args=(sender, latency, tls, per_minute), daemon=True)
    process.start()
    try:
        yield Server(receiver.recv(), tls)
    finally:
        process.terminate()
        process.join()


@dataclass(frozen=True)
class Cost:
    """Seconds of one round."""

    wall: float
    cpu: float


def cost(work: Callable[[], Any], times: int) -> Cost:
    """Run *work* that many times."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    return Cost((time.perf_counter() - wall) / times, (time.process_time() - cpu) / times)


def paired(works: dict[str, Callable[[], Any]], *, times: int, rounds: int) -> dict[str, list[Cost]]:
    """Measure all *works* in turn, round after round, each time in another order."""
    names = list(works)
    for name in names:
        cost(works[name], max(1, times // 4))
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for index in range(rounds):
        turn = index % len(names)
        for name in names[turn:] + names[:turn]:
            costs[name].append(cost(works[name], times))
    return costs


def ratio(costs: dict[str, list[Cost]], above: str, below: str, clock: str) -> float:
    """Return the median over all rounds of *above* ÷ *below*."""
    pairs = zip(costs[above], costs[below], strict=True)
    ratios: list[float] = [getattr(a, clock) / getattr(b, clock) for a, b in pairs]
    return statistics.median(ratios)


class Report:
    """Print figures beside their limits."""

    def __init__(self, title: str) -> None:
        self._missed = False
        print(f"{title} (Python {sys.version.split()[0]}, {os.cpu_count()} cores)")

    def figure(self, what: str, value: float, limit: float | None, unit: str = "") -> None:
        """Print one; ``None`` as limit is for information only."""
        missed = limit is not None and value > limit
        self._missed |= missed
        bound = "" if limit is None else f"  (limit {limit:g}{unit}{', MISSED' if missed else ''})"
        print(f"  {what:<68} {value:>8.3g}{unit}{bound}", flush=True)

    def end(self) -> None:
        """Leave with the verdict."""
        sys.exit(1 if self._missed else 0)
