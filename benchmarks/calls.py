"""What a protected call costs beside a bare one, and beside Airflow's own HTTP hook."""

from __future__ import annotations

import json
import os
import warnings

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, paired, ratio, server  # noqa: E402


def main(where: Server) -> None:
    import logging

    logging.disable(logging.INFO)
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection())
    os.environ["AIRFLOW_CONN_STOCK"] = json.dumps({"conn_type": "http", "host": f"{where.url}/api"})
    import requests
    from airflow.providers.http.hooks.http import HttpHook

    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    hook = OAuth2Hook("bench", method="GET")
    stock = HttpHook(method="GET", http_conn_id="stock")
    session = requests.Session()
    session.headers["Authorization"] = "Bearer static"
    works = {
        "ours": lambda: hook.run("status"),
        "bare": lambda: session.get(f"{where.url}/api/status"),
        "stock": lambda: stock.run("status"),
    }
    costs = paired(works, times=200, rounds=15)
    report = Report("Calls of a loopback API")
    for clock in ("wall", "cpu"):
        report.figure(
            f"hook.run() / bare requests.Session.get(), {clock}", ratio(costs, "ours", "bare", clock), 1.00
        )
        report.figure(
            f"hook.run() / stock HttpHook.run(), {clock}", ratio(costs, "ours", "stock", clock), 0.70
        )
    report.figure("token requests for all of it", where.counts()["token"], 1)
    report.end()


if __name__ == "__main__":
    with server() as running:
        main(running)
