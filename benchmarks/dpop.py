"""What a call costs whose token is bound to a key (RFC 9449), beyond the one signature that it needs.

Beside bare ``requests`` and bare aiohttp, in one run. The signature is what a bare call costs more that signs
something, by PyJWT, when it is sent: alone in a loop, or two hundred in a row before the first is sent, it
would take up to half as long, but a proof would be old by then.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import Cost, Report, Server, paired, server  # noqa: E402

AT_ONCE = 200
CONNECTIONS = 100
"""Of aiohttp to one host, as of ours."""
CLOCKS = ("wall", "cpu")
Sign = Callable[[], object]


def _signer() -> Sign:
    """Return what signs as much as a proof has."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from jwt import PyJWS

    key, algorithm = ec.generate_private_key(ec.SECP256R1()), PyJWS().get_algorithm_by_name("ES256")
    return lambda: algorithm.sign(b"x" * 400, key)


def _reported(report: Report, costs: dict[str, list[Cost]], what: str, calls: int = 1) -> None:
    """Report the medians over all rounds, in each of which all were measured in turn."""
    rounds = list(zip(costs["ours"], costs["signing"], costs["bare"], strict=True))
    for clock in CLOCKS:
        seconds = [tuple(float(getattr(cost, clock)) for cost in costs) for costs in rounds]
        beyond = statistics.median((ours - signing + bare) / bare for ours, signing, bare in seconds)
        report.figure(f"({what}, {clock}", beyond, 1.15)
    signature = statistics.median(signing.cpu - bare.cpu for _, signing, bare in rounds) / calls
    report.figure("one signature (ES256) within such a call, cpu", signature * 1e6, None, " µs")


def _threads(where: Server, report: Report, sign: Sign) -> None:
    import requests

    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    hook = OAuth2Hook("bound", method="GET")
    session = requests.Session()
    session.headers["Authorization"] = "DPoP static"

    def bare() -> None:
        session.get(f"{where.url}/api/status")

    def signing() -> None:
        sign()
        bare()

    works = {"ours": lambda: hook.run("status"), "signing": signing, "bare": bare}
    costs = paired(works, times=200, rounds=15)
    _reported(report, costs, "hook.run() - signature) / bare requests.Session.get()")


def _coroutines(where: Server, report: Report, sign: Sign) -> None:
    import aiohttp

    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    hook = OAuth2Hook("bound", method="GET")
    loop = asyncio.new_event_loop()

    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers={"Authorization": "DPoP static"})

    session = loop.run_until_complete(opened())

    async def bare() -> None:
        async with session.get(f"{where.url}/api/status") as response:
            await response.read()

    turns = asyncio.Semaphore(CONNECTIONS)

    async def signing() -> None:
        async with turns:
            sign()
            await bare()

    async def ours() -> None:
        await hook.arun("status")

    def at_once(call: Callable[[], Awaitable[None]]) -> Callable[[], object]:
        async def all_of_them() -> None:
            await asyncio.gather(*(call() for _ in range(AT_ONCE)))

        return lambda: loop.run_until_complete(all_of_them())

    costs = paired(
        {"ours": at_once(ours), "signing": at_once(signing), "bare": at_once(bare)}, times=2, rounds=21
    )
    _reported(report, costs, f"hook.arun() - signature) / bare aiohttp, {AT_ONCE} at once", AT_ONCE)
    loop.run_until_complete(hook.aclose())
    loop.run_until_complete(session.close())
    loop.close()


def main(where: Server) -> None:
    import logging

    logging.disable(logging.INFO)
    os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
    os.environ["AIRFLOW_CONN_BOUND"] = json.dumps(where.connection(dpop=True))
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
    from airflow_oauth_provider.protocol.client import keys

    parsed: list[Any] = []
    parse = keys._parse  # noqa: SLF001

    def counted(*arguments: Any, **options: Any) -> Any:
        parsed.append(arguments)
        return parse(*arguments, **options)

    keys._parse = counted  # noqa: SLF001
    OAuth2Hook("bound", method="GET").run("status")
    gc.collect()
    gc.freeze()  # nobody is to pay for a look at all of Airflow's modules
    report, sign = Report("Calls with proof of possession, on loopback"), _signer()
    for measure in (_threads, _coroutines):
        measure(where, report, sign)
    report.figure("token requests for all of it", where.counts()["token"], 1)
    report.figure("keys parsed for all of it", len(parsed), 1)
    report.end()


if __name__ == "__main__":
    with server() as running:
        main(running)
