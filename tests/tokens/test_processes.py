"""Real processes that share a store: the server counts, nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.bound_tokens import CLIENTS, bound_service, certified
from tests.support.fleet import Report, Task, run
from tests.support.killed import killed
from tests.support.preloaded import ROOT
from tests.support.servers.certificates import issue_client
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.scripted import Delay, Held, Json, ScriptedResponse, token_json
from tests.support.service import RecordedRequest, Service
from tests.support.stores import SHARED, address_of

pytestmark = pytest.mark.slow


@pytest.fixture(params=SHARED)
def store(request: pytest.FixtureRequest) -> str:
    return address_of(request.param, request)


def fleet(service: Service, store: str, home: Path, processes: int, **changes: Any) -> Report:
    extra = {"scope": "read", **changes.pop("extra", {})}
    connection = {
        "conn_type": "oauth2_client_credentials",
        "host": f"{service.server.url}/token",
        "login": "my-client",
        "password": changes.pop("password", "a-client-secret"),
        "extra": extra,
    }
    # Else a busy machine fails tests of leases: a store that is too slow is given up, and everybody asks.
    return run(Task(connection, store, str(home), processes, **{"store_seconds": 10.0, **changes}))


class Notes:
    """What the processes have noted so far."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notes"
        self.path.touch()

    def count(self, what: str) -> int:
        return self.path.read_text().split().count(what)


def slowest(report: Report) -> float:
    """Return the seconds of the slowest process, less those that the machine took for other work."""
    return max(result.seconds - result.stalled for result in report.results)


@pytest.mark.fault("P02")
def test_a_cold_start_of_40_makes_one_request(service: Service, store: str, tmp_path: Path) -> None:
    service.token = lambda _: Delay(0.25, token_json("the-token"))
    report = fleet(service, store, tmp_path, 40, calls=10)
    assert report.tokens == {"the-token"}
    assert report.errors == set()
    assert len(service.token_requests) == 1
    again = fleet(service, store, tmp_path, 8)
    assert again.tokens == {"the-token"}
    assert len(service.token_requests) == 1, "later processes find it"


def test_a_cold_start_with_a_client_certificate_makes_one_request(store: str, tmp_path: Path) -> None:
    """Each process makes a TLS context of its own; the token is bound to what they all present."""
    client = issue_client(CLIENTS)
    with bound_service(tmp_path) as bound:
        grant = bound.token
        bound.token = lambda request: Delay(0.25, grant(request)) if grant else Json({})
        extra = {name: value for name, value in certified(client).items() if name != "password"}
        report = fleet(bound, store, tmp_path, 16, password=None, extra=extra)
        assert (report.tokens, report.errors) == ({"tok-1"}, set())
        assert [request.certificate is not None for request in bound.token_requests] == [True]


@pytest.mark.fault("L20")
def test_a_thousand_tasks_make_one_request(service: Service, tmp_path: Path) -> None:
    """As processes, each with a memory of its own; ``make test-cluster`` does it with real tasks."""
    for _ in range(4):
        assert fleet(service, "file", tmp_path, 250).tokens == {"tok-1"}
    assert len(service.token_requests) == 1


def test_an_expiring_store_makes_one_request_per_lifetime(
    service: Service, store: str, tmp_path: Path
) -> None:
    service.token = lambda _: Delay(0.1, token_json("first", expires_in=600))
    assert fleet(service, store, tmp_path, 16).tokens == {"first"}
    service.token = lambda _: Delay(0.1, token_json("next", expires_in=600))
    assert fleet(service, store, tmp_path, 16, ahead=601).tokens == {"next"}
    assert len(service.token_requests) == 2


@pytest.mark.fault("P49")
def test_a_wrong_secret_is_one_request(service: Service, store: str, tmp_path: Path) -> None:
    service.token = lambda _: Delay(0.2, Json({"error": "invalid_client"}, 401))
    report = fleet(service, store, tmp_path, 40)
    assert report.errors == {"InvalidClientError"}
    assert len(report.results) == 40
    assert len(service.token_requests) == 1
    fleet(service, store, tmp_path, 10)
    assert len(service.token_requests) == 1


@pytest.mark.fault("P50")
def test_a_cool_down_is_shared(service: Service, store: str, tmp_path: Path) -> None:
    service.token = lambda _: Json({}, 429, [("Retry-After", "120")])
    extra = {"max_wait": 60}  # long enough for all of them to hear of it, and too short for that
    for _ in range(2):
        report = fleet(service, store, tmp_path, 16, extra=extra)
        assert report.errors == {"TokenEndpointError"}
        assert slowest(report) < 3, "reported, not slept past"
    assert len(service.token_requests) == 1


@pytest.mark.fault("P10")
def test_a_failure_is_shared_by_those_who_wait(service: Service, store: str, tmp_path: Path) -> None:
    # Who comes later asks anew: so the failure waits for all of them.
    notes = Notes(tmp_path)
    service.token = lambda _: Held(lambda: notes.count("waits") == 16, Json({}, 503))
    extra = {"max_retry_attempts": 1, "max_wait": 40}
    report = fleet(service, store, tmp_path, 16, extra=extra, notes=str(notes.path))
    assert report.errors == {"TokenEndpointError"}
    assert len(service.token_requests) == 2, "one budget, not sixteen"


@pytest.mark.fault("L40")
def test_an_outage_with_retrying_tasks_is_one_probe_per_cool_down(
    service: Service, store: str, tmp_path: Path
) -> None:
    service.token = lambda _: Json({}, 503, [("Retry-After", "300")])
    extra = {"max_retry_attempts": 3, "max_wait": 60}
    for _ in range(3):  # each stands for another try of all tasks
        assert fleet(service, store, tmp_path, 8, extra=extra).errors == {"TokenEndpointError"}
    assert len(service.token_requests) == 1


@pytest.mark.fault("L37")
def test_a_killed_leader_holds_nobody(service: Service, tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    service.token = lambda _: Held(lambda: notes.count("killed") == 3, token_json("the-token"))
    report = fleet(
        service,
        "file",
        tmp_path,
        16,
        kill_after=(0.05, 0.2),
        kills=3,
        extra={"max_wait": 20},
        notes=str(notes.path),
    )
    assert report.killed == [3]
    assert report.tokens == {"the-token"}
    assert report.errors == set()
    assert len(service.token_requests) <= 4
    assert slowest(report) < 8


@pytest.mark.fault("P14")
def test_a_leader_killed_with_its_lease_in_redis(
    service: Service, redis_server: RedisServer, tmp_path: Path
) -> None:
    notes, asked = Notes(tmp_path), tmp_path / "asked"

    def token(_: RecordedRequest) -> ScriptedResponse:
        asked.touch()
        return Held(lambda: notes.count("killed"), token_json("the-token"))

    service.token = token
    report = fleet(
        service,
        redis_server.url,
        tmp_path,
        16,
        kill_after=(0.0, 0.2),
        kill_when=str(asked),
        kills=1,
        extra={"max_wait": 30},
        notes=str(notes.path),
    )
    assert report.tokens == {"the-token"}
    assert len(service.token_requests) == 2
    assert max(result.seconds for result in report.results) > 9, "not before ten seconds"
    assert slowest(report) < 18, "taken over by one after ten seconds, not after the lease's thirty"


@pytest.mark.fault("P15")
def test_a_stopped_leader_holds_nobody(service: Service, store: str, tmp_path: Path) -> None:
    """It lives, so it keeps its lease even in files: after ten seconds one of the others asks beside it."""
    notes = Notes(tmp_path)
    service.token = lambda _: Held(lambda: notes.count("stopped"), token_json("the-token"))
    report = fleet(
        service, store, tmp_path, 8, stop_leader=True, extra={"max_wait": 30}, notes=str(notes.path)
    )
    assert len(report.results) == 7
    assert report.tokens == {"the-token"}
    assert len(service.token_requests) <= 2
    assert slowest(report) < 15


def test_nobody_waits_beyond_its_budget(service: Service, store: str, tmp_path: Path) -> None:
    service.token = lambda _: Delay(30, token_json("late"))
    report = fleet(service, store, tmp_path, 8, extra={"max_wait": 3, "max_retry_attempts": 0})
    assert report.errors == {"TransportError"}
    assert slowest(report) < 3.6
    assert len(service.token_requests) <= 8, "each asks by itself in the last part of its budget, once"


@pytest.mark.fault("P41")
def test_without_redis_each_process_gets_its_own(service: Service, unused_port: int, tmp_path: Path) -> None:
    report = fleet(service, f"redis://127.0.0.1:{unused_port}/0", tmp_path, 4)
    assert report.errors == set()
    assert len(service.token_requests) == 4
    assert slowest(report) < 3


@pytest.mark.fault("P42")
def test_a_redis_that_stalls_costs_little(
    service: Service, redis_server: RedisServer, tmp_path: Path
) -> None:
    redis_server.freeze()
    report = fleet(service, redis_server.url, tmp_path, 4, store_seconds=None)
    assert report.errors == set()
    assert slowest(report) < 3


WAITING = """
import json, os, signal, sys, time
from airflow.sdk import Connection
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator

os.environ["AIRFLOW_CONN_API"] = sys.argv[1]
operator = OAuth2HttpOperator(task_id="x", oauth2_conn_id="api", method="GET", endpoint="x")
signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
print("ready", flush=True)
try:
    operator.execute({})
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


@pytest.mark.parametrize(
    "hangs", [pytest.param("token", id="token-request[L02]"), pytest.param("api", id="API-call[L02]")]
)
def test_a_killed_task_leaves_every_wait_within_two_seconds(
    hangs: str, service: Service, store: str, tmp_path: Path
) -> None:
    """As Airflow does it: SIGTERM, and ``on_kill`` within the signal handler; SIGKILL follows after 5 s."""
    if hangs == "token":
        service.token = lambda _: Delay(60, token_json("late"))
    else:
        service.api = lambda _: Delay(60, Json({}))
    environment = {
        "PATH": "/usr/bin:/bin",
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__OAUTH2__TOKEN_STORE": store,
        "PYTHONWARNINGS": "ignore",
    }
    output, seconds = killed(
        WAITING,
        service.environment(),
        folder=ROOT,
        environment=environment,
        waits=lambda: service.token_requests if hangs == "token" else service.calls,
    )
    assert "TaskStoppedError" in output, output
    assert seconds < 2.0
    if hangs == "token":  # the lease was released: the next one need not wait for its end
        service.token = lambda _: token_json("next")
        report = fleet(service, store, tmp_path, 1, extra=json.loads(service.environment())["extra"])
        assert report.tokens == {"next"}
        assert slowest(report) < 1.0
