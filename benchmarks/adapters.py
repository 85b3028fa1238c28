"""What a cached token costs by an adapter, over ``get_token()``; of adapters whose library is installed."""

from __future__ import annotations

import json
import os
import statistics
import timeit
import warnings
from collections.abc import Callable, Iterator
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, server  # noqa: E402

TIMES, ROUNDS = 20_000, 15
LIMIT = 3.0
"""Microseconds."""


def adapters() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the call that a library makes for each of its requests."""
    from airflow_oauth_provider.adapters import azure, iceberg, kafka, openlineage
    from airflow_oauth_provider.auth import bearer_token_callable

    yield "bearer_token_callable()", bearer_token_callable("bench")
    oauth_cb = kafka.oauth_cb
    yield "kafka: oauth_cb(config)", lambda: oauth_cb("oauth2_conn_id=bench")
    makers: dict[str, Callable[[], Callable[[], Any]]] = {
        "iceberg: auth_header()": lambda: iceberg.OAuth2AuthManager(oauth2_conn_id="bench").auth_header,
        "openlineage: get_bearer()": lambda: (
            openlineage.OAuth2TokenProvider({"oauth2_conn_id": "bench"}).get_bearer
        ),
        "azure: get_token()": lambda: azure.OAuth2Credential("bench").get_token,
    }
    for name, make in makers.items():
        try:
            call = make()
            call()
        except ImportError:
            print(f"  {name}: its library is not installed")
        else:
            yield name, call


def main(where: Server) -> None:
    import logging

    logging.disable(logging.INFO)
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection())
    os.environ["AIRFLOW__OAUTH2__LENT_CONNECTIONS"] = "bench"
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    report = Report("Adapters")
    get_token = OAuth2Hook("bench").get_token
    get_token()
    for name, call in adapters():
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
