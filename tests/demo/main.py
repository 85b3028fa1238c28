"""``make demo``: the main job, start to end, against servers that run here and count for themselves.

Prints what happens in the words of a data engineer, and ends with status 1 if anything is otherwise.
"""

from __future__ import annotations

import re
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from tests.demo.dag_runs import EXAMPLES, AirflowHome, Outcome
from tests.demo.orders import CLIENT_ID, LIFETIME, OrdersServer


class DemoFailed(Exception):  # noqa: N818  (it is a result, not an error of the program)
    """Something was not as it should be."""


def say(text: str = "") -> None:
    print(text, flush=True)


def progress(text: str) -> None:
    say(f"     … {text}")


def expect(actual: Any, expected: Any, what: str) -> None:
    """Compare with what the servers or Airflow say."""
    if actual != expected:
        raise DemoFailed(f"{what}: expected {expected!r}, got {actual!r}")


def main() -> int:
    say("OAuth 2.0 for Airflow: the main job, on this machine only.\n")
    with OrdersServer() as server, tempfile.TemporaryDirectory(prefix="oauth2-demo-") as folder:
        try:
            _demo(server, Path(folder))
        except DemoFailed as failure:
            say(f"\nFAILED. {failure}")
            return 1
    return 0


def _demo(server: OrdersServer, folder: Path) -> None:
    say(f"1. An authorization server and a protected API (built on Authlib) run at {server.url}.")
    connection = server.connection()
    say("2. The connection, as it would be typed into the form:")
    for name, value in (
        ("Access token URL", connection["host"]),
        ("Client ID", CLIENT_ID),
        ("Client secret", "(hidden)"),
        ("Scope", connection["extra"]["scope"]),
        ("API base URL", connection["extra"]["base_url"]),
    ):
        say(f"     {name:<17} {value}")
    say("3. Airflow gets a home of its own and a database. This takes some seconds …")
    home = AirflowHome(folder)
    home.migrate()

    say("4. Three DAGs of example_dags/ run with dag.test(): a call, a list of pages, and one with")
    say("   Airflow's own, unmodified HttpOperator …")
    files = [EXAMPLES / name for name in ("call_api.py", "all_pages.py", "stock_http_operator.py")]
    runs, log = home.run(*files, connections={"orders_api": connection}, progress=progress)
    _three_dags(server, runs, log)

    say("5. Another process, as every task of Airflow is one, runs the first DAG again …")
    before = len(server.seen)
    (again,), log = home.run(
        EXAMPLES / "call_api.py", connections={"orders_api": connection}, progress=progress
    )
    expect(again.state, "success", f"the run\n{log}\n")
    expect([kind for _, kind in server.seen[before:]], ["API calls"], "what the servers were asked")
    say("   - It found the token, sealed, in the folder that the processes of this host share: 0 token")
    say("     requests. (Several hosts share one through Redis.)")

    say("6. Somebody mistypes the client secret, and the DAG runs again …")
    _wrong_secret(server, home)
    say("\nDone. Your own server: README.md, from “Configure a connection” on.")


def _three_dags(server: OrdersServer, runs: list[Outcome], log: str) -> None:
    expect([outcome.state for outcome in runs], ["success"] * 3, f"the runs\n{log}\n")
    granted = re.search(r"Access token acquired.*?lifetime=(\d+) scopes=\W*([a-z. ]+)", log)
    if granted is None:
        raise DemoFailed("the task log does not tell of the token")
    expect(int(granted[1]), LIFETIME, "the token's lifetime")
    first, pages, stock = (server.counts(outcome.started_at, outcome.ended_at) for outcome in runs)
    expect(dict(first), {"token requests": 1, "API calls": 1}, "requests of the first DAG")
    expect(dict(pages), {"API calls": 3}, "requests of the second DAG")
    expect(dict(stock), {"API calls": 1}, "requests of the third DAG")
    expect(runs[0].results["total"], 60, "what the first DAG computed")
    expect(len(runs[1].results["fetch_all_orders"]), 7, "orders of the second DAG")
    say(f"   - Token acquired: good for {granted[1]} s, scopes: {granted[2]}.")
    say("   - The API answered: 3 orders, which sum up to 60.")
    say("   - Second DAG: 3 pages, 7 orders, and no second token.")
    say("   - Third DAG, with the stock operator: answered, and still the same token.")
    say("   The server's own count: 1 token request, 5 API calls.")


def _wrong_secret(server: OrdersServer, home: AirflowHome) -> None:
    before = len(server.seen)
    wrong = server.connection(password="not the client secret")
    runs, log = home.run(EXAMPLES / "call_api.py", connections={"orders_api": wrong}, progress=progress)
    expect(runs[0].state, "failed", "the run")
    expect([kind for _, kind in server.seen[before:]], ["token requests"], "what the server was asked")
    advice = re.search(
        r'Connection "orders_api": [^\n]*?invalid_client[^\n]*?\(RFC 6749 §5\.2\)', log.replace('\\"', '"')
    )
    if advice is None:
        raise DemoFailed(f"the task log does not say why\n{log}")
    if "not the client secret" in log:
        raise DemoFailed("the task log shows the secret")
    say("   - The task failed at once, without retries, after 1 token request. Its log says:")
    say(textwrap.fill(advice[0], 96, initial_indent="     ", subsequent_indent="     "))


if __name__ == "__main__":
    sys.exit(main())
