"""What calls with a client certificate cost beside bare ``requests`` and aiohttp with the same one."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, Tls, cost, paired, ratio, server  # noqa: E402

CALLS = 500
"""Of coroutines, at once."""


def certificates(folder: Path) -> Tls:
    """Write what server and client need."""
    from tests.support.servers.certificates import authority, issue, issue_client

    ca = authority("Benchmark")
    ends, client = issue(ca), issue_client(ca, "bench")
    tls = Tls(*(str(folder / name) for name in ("server.pem", "client.pem", "authority.pem")))
    Path(tls.server).write_text(ends.key + ends.certificate)
    Path(tls.client).write_text(client.key + client.certificate)
    Path(tls.authority).write_text(ca.certificate)
    return tls


def connection(where: Server, tls: Tls) -> str:
    """Return the connection, as the value of an environment variable."""
    given = where.connection(
        auth_method="tls_client_auth",
        private_key=Path(tls.client).read_text(),
        ca_certificates=Path(tls.authority).read_text(),
    )
    return json.dumps({**given, "password": None})


def of_threads(where: Server, tls: Tls) -> dict[str, Callable[[], Any]]:
    import requests

    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    hook = OAuth2Hook("bench", method="GET")
    session = requests.Session()
    session.headers["Authorization"] = "Bearer static"
    return {
        "ours": lambda: hook.run("status"),
        "bare": lambda: session.get(f"{where.url}/api/status", verify=tls.authority, cert=tls.client),
    }


def of_coroutines(where: Server, tls: Tls) -> dict[str, Callable[[], Any]]:
    import aiohttp

    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    context = tls.of_client()

    async def bare() -> None:
        connector = aiohttp.TCPConnector(ssl=context)
        headers = {"Authorization": "Bearer static"}
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

            async def call() -> None:
                async with session.get(f"{where.url}/api/status") as response:
                    await response.read()

            await asyncio.gather(*(call() for _ in range(CALLS)))

    async def ours() -> None:
        hook = OAuth2Hook("bench", method="GET")
        await asyncio.gather(*(hook.arun("status") for _ in range(CALLS)))
        await hook.aclose()

    return {"ours": lambda: asyncio.run(ours()), "bare": lambda: asyncio.run(bare())}


def once() -> float:
    """Return the seconds from a new certificate to a context that presents it."""
    from airflow_oauth_provider.protocol.secret import Secret
    from airflow_oauth_provider.protocol.settings import NetworkSettings, PresentedCertificate
    from airflow_oauth_provider.transport.tls import tls_context
    from tests.support.servers.certificates import authority, issue_client

    ca = authority("Benchmark")
    fresh = iter([issue_client(ca) for _ in range(20)])

    def work() -> None:
        client = next(fresh)
        presented = PresentedCertificate(client.certificate, Secret(client.key))
        tls_context(NetworkSettings(ca_certificates=ca.certificate, certificate=presented))

    return cost(work, 20).wall


def main(where: Server, tls: Tls) -> None:
    import logging

    logging.disable(logging.CRITICAL)
    os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
    os.environ["AIRFLOW_CONN_BENCH"] = connection(where, tls)
    report = Report("Calls of a loopback API that wants a client certificate")
    for works, what, times, rounds in (
        (of_threads(where, tls), "hook.run() / bare requests", 200, 15),
        (of_coroutines(where, tls), f"{CALLS} hook.arun() at once / bare aiohttp", 1, 15),
    ):
        costs = paired(works, times=times, rounds=rounds)
        for clock in ("wall", "cpu"):
            report.figure(f"{what}, {clock}", ratio(costs, "ours", "bare", clock), 1.15)
    report.figure("token requests for all of it", where.counts()["token"], 1)
    report.figure("a new certificate, until a context presents it (EC)", once() * 1000, None, " ms")
    report.end()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        files = certificates(Path(name))
        with server(tls=files) as running:
            main(running, files)
