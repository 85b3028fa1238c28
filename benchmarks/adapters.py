"""What a cached token costs by an adapter over ``get_token()``; in ``.venv-consumers``, which has them."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import timeit
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, server  # noqa: E402

TIMES, ROUNDS = 20_000, 15
LIMIT = 3.0
"""Microseconds."""
Work = Callable[[], Any]


def adapters(url: str) -> Iterator[tuple[str, Work]]:
    """Yield what a library calls for each of its requests.

    :param url: of the API. For httpx and aiohttp it is checked each time, and so are the request's headers.
    """
    from airflow_oauth_provider.adapters import azure, iceberg, kafka, openlineage
    from airflow_oauth_provider.auth import bearer_token_callable

    yield "bearer_token_callable()", bearer_token_callable("bench")
    oauth_cb = kafka.oauth_cb
    yield "kafka: oauth_cb(config)", lambda: oauth_cb("oauth2_conn_id=bench")
    yield "iceberg: auth_header()", iceberg.OAuth2AuthManager(oauth2_conn_id="bench").auth_header
    provider = openlineage.OAuth2TokenProvider({"oauth2_conn_id": "bench"})
    yield "openlineage: get_bearer()", provider.get_bearer
    yield "azure: get_token()", azure.OAuth2Credential("bench").get_token
    asynchronous = azure.AsyncOAuth2Credential("bench")
    asyncio.run(asynchronous.get_token())  # which reads the connection
    yield "azure: await get_token()", lambda: at_once(asynchronous.get_token())
    yield from for_requests(url)


def for_requests(url: str) -> Iterator[tuple[str, Work]]:
    """Yield how the adapters of HTTP clients get a token for a request that is about to be sent."""
    import httpx
    from multidict import CIMultiDict

    from airflow_oauth_provider.calls.access import BearerAuth
    from airflow_oauth_provider.calls.httpx_headers import fields
    from airflow_oauth_provider.client.prepared_client import PreparedClient

    auth, headers = BearerAuth(PreparedClient("bench")), httpx.Client().headers
    yield "httpx: for a request", lambda: auth.token_for(url, fields(headers))
    given = CIMultiDict({"Host": "api.example", "Accept": "*/*", "User-Agent": "bench"})
    yield "aiohttp: for a request", lambda: at_once(auth.atoken_for(url, given))


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("a cached token needs no wait")


def main(where: Server) -> None:
    import logging

    logging.disable(logging.INFO)
    connection = where.connection()
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(connection)
    os.environ["AIRFLOW__OAUTH2__LENT_CONNECTIONS"] = "bench"
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    report = Report("Adapters")
    get_token = OAuth2Hook("bench").get_token
    get_token()
    for name, call in adapters(f"{connection['extra']['base_url']}/orders"):
        call()
        more = []
        for _ in range(ROUNDS):  # in turn, so that noise meets both
            alone, adapter = (timeit.timeit(work, number=TIMES) / TIMES for work in (get_token, call))
            more.append((adapter - alone) * 1e6)
        report.figure(f"{name}, cached, more than get_token()", statistics.median(more), LIMIT, " µs")
    report.figure("token requests of all adapters", where.counts()["token"], 1)
    report.end()


if __name__ == "__main__":
    with server() as running:
        main(running)
