"""Checking many connections politely."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_oauth_provider.authorizations import AT_ONCE, Target, actions, check_all, checking, spacing
from airflow_oauth_provider.authorizations.actions import ConnectionCheck
from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.exceptions import ConfigurationError, InvalidClientError
from airflow_oauth_provider.transport.stopping import Stop, TaskStoppedError
from tests.support.servers.scripted import Delay, Held, Json, RecordedRequest, Silent, token_json
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def _store(store: Path) -> None:
    """Remembered refusals are part of the story."""


def targets(service: Service, count: int, **changes: Any) -> list[Target]:
    """Return connections that share no token."""
    return [
        Target.of(service.connection(conn_id=f"api-{number}", scope=f"scope-{number}", **changes))
        for number in range(count)
    ]


def clients(service: Service, count: int) -> list[Target]:
    """Return connections of clients of their own, of which a refusal tells nothing about another."""
    return [
        Target.of(
            service.connection(conn_id=f"api-{number}", login=f"client-{number}", scope=f"scope-{number}")
        )
        for number in range(count)
    ]


@dataclass
class Gauge:
    """The server's own count of requests at once."""

    seconds: float
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, _: RecordedRequest) -> Any:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        return self

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        """Count it out before the client knows that it has ended, and can begin the next."""
        stopped.wait(self.seconds)
        with self._lock:
            self._now -= 1
        return token_json().play(connection, stopped)


@pytest.mark.fault("L26")
def test_never_more_than_four_at_once(service: Service) -> None:
    service.token = gauge = Gauge(0.1)
    results = check_all(targets(service, 40))
    assert all(result.ok for result in results)
    assert len(service.token_requests) == 40
    assert 2 <= gauge.most <= AT_ONCE


@pytest.mark.fault("L26")
def test_they_do_not_start_together(service: Service) -> None:
    check_all(targets(service, 4))
    received = sorted(request.received_at for request in service.token_requests)
    assert received[-1] - received[0] > 0.0005


def test_results_come_in_order_and_are_told_as_they_come(service: Service) -> None:
    others = threading.Event()
    service.token = lambda request: (
        Held(others, token_json()) if b"scope-0" in request.body else token_json("tok")
    )
    reported: list[str] = []

    def report(result: CheckResult) -> None:
        reported.append(result.conn_id)
        if len(reported) == 3:
            others.set()

    results = check_all(targets(service, 4), on_done=report)
    assert [result.conn_id for result in results] == ["api-0", "api-1", "api-2", "api-3"]
    assert reported[-1] == "api-0"


@pytest.mark.fault("L25")
def test_a_host_that_refuses_clients_is_asked_slowly(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spacing, "SPACING", 0.4)
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    results = check_all(clients(service, 7))
    assert all(isinstance(result.error, InvalidClientError) for result in results)
    received = [request.received_at for request in service.token_requests]
    assert len(received) == 7
    later = received[AT_ONCE:]
    pauses = [after - before for before, after in zip(received[AT_ONCE - 1 :], later, strict=False)]
    assert min(pauses) > 0.3, "after the first refusals, one at a time"


def test_one_refused_client_among_many_costs_about_a_second(service: Service) -> None:
    def respond(request: RecordedRequest) -> Any:
        refused = request.form["scope"] == ["scope-2"]
        return Json({"error": "invalid_client"}, 401) if refused else Delay(0.05, token_json())

    service.token = respond
    given = [
        Target.of(
            service.connection(conn_id=f"api-{number}", login=f"client-{number}", scope=f"scope-{number}")
        )
        for number in range(20)
    ]
    watch = Stopwatch()
    results = check_all(given)
    assert [result.ok for result in results].count(False) == 1
    received = [request.received_at for request in service.token_requests]
    pauses = [after - before for before, after in pairwise(received)]
    assert max(pauses) > 0.9, "once it waits"
    assert watch.seconds < 6, "and then no more: of 19 s"


def test_a_host_is_asked_slowly_again_after_another_refusal(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spacing, "SPACING", 0.8)
    monkeypatch.setattr(checking, "AT_ONCE", 1)
    watch = Stopwatch()
    received: list[tuple[float, float]] = []

    def respond(request: RecordedRequest) -> Any:
        received.append((watch.wall, watch.seconds))
        refused = request.form["scope"][0][-1] in "03"
        return Json({"error": "invalid_client"}, 401) if refused else token_json()

    service.token = respond
    given = [
        Target.of(
            service.connection(conn_id=f"api-{number}", login=f"client-{number}", scope=f"scope-{number}")
        )
        for number in range(6)
    ]
    assert [result.ok for result in check_all(given)] == [False, True, True, False, True, True]
    pauses = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(received)]
    assert all(pauses[number][0] > 0.7 for number in (0, 3)), pauses
    assert all(pauses[number][1] < 0.7 for number in (1, 2, 4)), pauses


@pytest.mark.fault("L25")
def test_what_is_known_to_be_refused_is_not_asked_about_again(
    service: Service, another_process: Callable[[], None]
) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    watch = Stopwatch()
    for _ in range(3):
        (result,) = check_all([Target.of(service.connection())])
        assert isinstance(result.error, InvalidClientError)
        another_process()
    assert len(service.token_requests) == 1
    same_client = [
        Target.of(service.connection(conn_id=f"api-{number}", scope=f"s{number}")) for number in range(9)
    ]
    assert not any(result.ok for result in check_all(same_client))
    assert len(service.token_requests) == 1, "it is the client that is refused, whatever the scope"
    assert watch.seconds < 5, "and there is no need to space out what is not sent"


def test_one_retry(service: Service) -> None:
    service.token = lambda _: Json({}, 503)
    (result,) = check_all([Target.of(service.connection())])
    assert len(service.token_requests) == 2
    assert not result.ok


def test_whatever_is_wrong_with_one_the_others_are_checked(service: Service) -> None:
    def missing(_: str) -> Any:
        from airflow.providers.common.compat.sdk import AirflowNotFoundException

        raise AirflowNotFoundException

    def broken(_: str) -> Any:
        raise OSError("a backend, with its password in the text")

    given = [
        Target.read("missing", missing),
        Target.read("broken", broken),
        Target.of(service.connection(conn_id="wrong", host="")),
        Target.of(service.connection(conn_id="good")),
    ]
    results = {result.conn_id: result for result in check_all(given)}
    assert [name for name, result in results.items() if result.ok] == ["good"]
    assert str(results["missing"].error) == 'Connection "missing": there is no such connection'
    assert "OSError" in str(results["broken"].error)
    assert "password" not in str(results["broken"].error)
    assert isinstance(results["wrong"].error, ConfigurationError)


def test_a_connection_of_another_type(service: Service) -> None:
    from airflow.sdk import Connection

    target = Target.read("db", lambda _: Connection(conn_id="db", conn_type="postgres", host="db"))
    assert isinstance(target.error, ConfigurationError)
    assert target.error.field == "conn_type"


def test_the_probe_is_called_without_an_allow_list(service: Service) -> None:
    """The connection is a saved one: a DAG would send the token to the same place."""
    (result,) = check_all([Target.of(service.connection(probe_path="/health"))])
    assert result.probe == "The probe answered HTTP status 200."
    assert [call.target for call in service.calls] == ["/api/health"]


def test_an_unforeseen_error_is_a_result_of_that_connection_alone(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    of, run = ConnectionCheck.of, ConnectionCheck.run

    def broken_of(connection: Any, **options: Any) -> ConnectionCheck:
        if connection.conn_id == "api-0":
            raise AttributeError("a-client-secret")
        return of(connection, **options)

    def broken_run(self: ConnectionCheck, acquire: Any, **options: Any) -> Any:
        if self.facts.conn_id == "api-1":
            raise UnicodeEncodeError("latin-1", "a-client-secret", 0, 1, "no")
        return run(self, acquire, **options)

    monkeypatch.setattr(ConnectionCheck, "of", broken_of)
    monkeypatch.setattr(ConnectionCheck, "run", broken_run)
    results = check_all(targets(service, 3))
    assert [result.ok for result in results] == [False, False, True]
    assert str(results[0].error) == 'Connection "api-0": cannot be checked (AttributeError)'
    assert results[1].message == "cannot be checked (UnicodeEncodeError). Look at the task log."
    assert results[1].token_host == results[2].token_host
    assert "broken_run" in caplog.text
    assert "a-client-secret" not in caplog.text


@pytest.mark.parametrize("silent", ["token", "api"])
@pytest.mark.parametrize("count", [1, 8])
def test_a_timeout_of_the_task_ends_it(silent: str, count: int, service: Service) -> None:
    """Airflow raises it in the main thread, within a signal handler."""

    def end(*_: object) -> None:
        raise AirflowTaskTimeout

    setattr(service, silent, lambda _: Silent())

    def alarm() -> None:
        until(lambda: service.token_requests if silent == "token" else service.calls, "a request")
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, end)
    watch = Stopwatch()
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(alarm)
            with pytest.raises(AirflowTaskTimeout):
                check_all(targets(service, count, probe_path="/health"))
        assert watch.seconds < 2, "at once"
    finally:
        signal.signal(signal.SIGALRM, before)
    while any(thread.name.startswith("oauth2-check") for thread in threading.enumerate()):
        assert watch.seconds < 6, "what was under way ends, too"
        time.sleep(0.05)
    asked = len(service.server.requests)
    time.sleep(0.3)
    assert len(service.server.requests) == asked


def test_a_stop_ends_it(service: Service) -> None:
    service.token = lambda _: Silent()
    stop = Stop()
    threading.Timer(0.5, stop.stop).start()
    watch = Stopwatch()
    with pytest.raises(TaskStoppedError):
        check_all(targets(service, 8), stop=stop)
    assert watch.seconds < 3


def test_what_nobody_has_foreseen_is_a_result_too(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: actions.ConnectionCheck) -> None:
        raise LookupError("the-value")

    monkeypatch.setattr(actions.ConnectionCheck, "_probe", lambda self, *_, **__: run(self))
    (result,) = check_all([Target.of(service.connection(probe_path="/health"))])
    assert "LookupError" in str(result.error)
    assert "the-value" not in str(result.error)
