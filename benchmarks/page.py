"""The page "OAuth 2.0 servers" beside Airflow's own list of connections, and what its plugin costs a task."""

from __future__ import annotations

import json
import secrets
import statistics
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import requests

from benchmarks.harness import Report, Server, server
from benchmarks.imports import printed
from tests.system.browser.airflow_server import AirflowServer

CONNECTIONS = 500
ON_A_PAGE = 100
ROUNDS = 15
PLUGIN = """
import time, warnings; warnings.simplefilter("ignore")
try:
    import airflow.sdk.plugins_manager
except ImportError:
    import airflow.plugins_manager
began = time.process_time()
import airflow_oauth_provider.plugin.entry
print((time.process_time() - began) * 1000)
"""
AUTHORIZE = """
import time
from airflow_oauth_provider.authorizations import Target, check_all
from airflow_oauth_provider.authorizations.stored import find_connections
assert all(checked.ok for checked in check_all([Target(each.conn_id, each) for each in find_connections()]))
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.tokens.history.counts import Counts
from airflow_oauth_provider.tokens.history.delta import Delta
from airflow_oauth_provider.tokens.history.journal import Journal
policy, minute = read_policy(), int(time.time() // 60)
for number, each in enumerate(find_connections()):
    values = ConnectionValues.of(each)
    journal = Journal(values.conn_id, resolve(values, policy).settings, policy.sharing)
    counts = Counts(requests=1, granted=1, from_store=number, failed=number % 3)
    journal.append([Delta(minute - ago, counts, ()) for ago in range(0, 1440, 15)])
"""
PATHS = {
    "ours": "/oauth2-servers/",
    "sorted by status": "/oauth2-servers/?sort=status",
    "Airflow's": f"/api/v2/connections?limit={ON_A_PAGE}",
}


def fill(airflow: AirflowServer, token_server: Server) -> None:
    """Store the connections, and authorize each, so that every state is read from the token store."""
    extra = {"scope": "orders.read orders.write"}
    stored = {
        f"server_{number:03}": token_server.connection(category=f"category {number % 9}", **extra)
        | {"login": f"client-{number}", "password": secrets.token_urlsafe(24)}
        for number in range(CONNECTIONS)
    }
    file = Path(airflow.home) / "connections.json"
    file.write_text(json.dumps(stored))
    airflow.airflow("connections", "import", str(file))
    airflow.python("-c", AUTHORIZE)


def milliseconds(airflow: AirflowServer) -> dict[str, list[float]]:
    """Ask for each in turn, round after round."""
    seconds: dict[str, list[float]] = {name: [] for name in PATHS}
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {airflow.token()}"
        for number in range(ROUNDS + 2):
            for name, path in PATHS.items():
                began = time.perf_counter()
                response = session.get(airflow.url + path)
                taken = (time.perf_counter() - began) * 1000
                response.raise_for_status()
                if number >= 2:  # the first ones import and compile
                    seconds[name].append(taken)
                rows = (
                    len(response.json()["connections"])
                    if "api" in path
                    else response.text.count("data-status=")
                )
                assert rows == ON_A_PAGE, f"{rows} connections on a page"
                if name == "ours" and number >= 2:
                    strips = response.text.count('<svg class="history day"')
                    assert strips == ON_A_PAGE, f"{strips} strips on a page"
    return seconds


def main() -> None:
    report = Report("Page")
    environment = {"AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode()}
    with server() as token_server, AirflowServer(environment=environment) as airflow:
        fill(airflow, token_server)
        latencies = milliseconds(airflow)
    pairs = zip(latencies["ours"], latencies["Airflow's"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    report.figure("first 100 of 500 connections, with strips ÷ Airflow's own list of 100", ratio, 3.5)
    for name, taken in latencies.items():
        report.figure(f"  {name}", statistics.median(taken), None, " ms")
    cost = statistics.median(float(printed(PLUGIN)) for _ in range(ROUNDS))
    report.figure("importing the plugin in a task, CPU", cost, 5, " ms")
    report.end()


if __name__ == "__main__":
    main()
