"""What a process counts reaches the history: all of it, seldom, and however the process ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from airflow_oauth_provider.authorizations.history import history_of
from airflow_oauth_provider.client import history, report
from airflow_oauth_provider.client.history import Subject, recorder
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.tokens.history.counts import Counts
from airflow_oauth_provider.tokens.history.timeline import Timeline
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from tests.support.builders import settings
from tests.support.servers.scripted import Json
from tests.support.service import Service
from tests.support.waiting import until

ONE = Counts(from_store=1)
PROCESS = """
import multiprocessing, os
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
def use(number):
    client = OAuth2Client("my_api")
    for _ in range(number):
        client.get_token()
    return client
"""
ENDS = """
from socket import socketpair
from airflow.sdk.execution_time import supervisor
use(1)
if (pid := os.fork()) == 0:
    pairs = [socketpair() for _ in range(3)]
    supervisor._fork_main(*(pair[0] for pair in pairs), 0, lambda: use(100))
os.waitpid(pid, 0)
child = multiprocessing.get_context("fork").Process(target=use, args=(100,))
child.start()
child.join()
kept = use(100)
raise SystemExit(3)
"""


class Appends(MemoryStore):
    """A store that notes what is appended to it; *works* whether it keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.lots: list[int] = []
        self.works = True

    def append(self, name: str, items: Sequence[bytes], *, until: float) -> bool:
        if self.works:
            self.lots.append(len(items))
        return self.works and super().append(name, items, until=until)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("AIRFLOW_CTX_DAG_ID", raising=False)
    recorder.reset()
    yield
    recorder.reset()


@pytest.fixture
def store() -> Appends:
    return Appends()


@pytest.fixture
def subject(store: Appends) -> Subject:
    return Subject("orders", settings(), Sharing(store, history_days=7))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of the clock that never jumps."""
    now = [1000.0]
    monkeypatch.setattr("airflow_oauth_provider.client.history.time.monotonic", lambda: now[0])
    return now


def kept(subject: Subject) -> Timeline:
    return subject.journal.timeline()


def total(subject: Subject) -> Counts:
    return kept(subject).total(0, 1e12)


def appended(count: int, store: Appends) -> None:
    until(lambda: len(store.lots) == count and not recorder._appending, "an append")


class TestSeldom:
    """At most one append a minute and connection."""

    def test_ten_thousand_uses_in_ten_minutes(
        self, subject: Subject, store: Appends, clock: list[float]
    ) -> None:
        for minute in range(10):
            for _ in range(1000):
                recorder.count(subject, ONE)
                clock[0] += 0.06
            appended(minute, store)
        recorder.end()
        assert store.lots == [1] * 10
        assert total(subject).from_store == 10_000

    def test_a_short_process_appends_once(self, subject: Subject, store: Appends) -> None:
        for _ in range(5):
            recorder.count(subject, ONE)
        assert store.lots == []
        recorder.end()
        recorder.end()
        assert store.lots == [1]
        assert total(subject).from_store == 5

    def test_a_minute_that_is_over_begins_one_thread(
        self, subject: Subject, store: Appends, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[threading.Thread] = []

        def start(thread: threading.Thread) -> None:
            started.append(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        recorder.count(subject, ONE)
        clock[0] += 61
        for _ in range(100):
            recorder.count(subject, ONE)
        assert len(started) == 1
        monkeypatch.undo()
        started[0].run()
        assert store.lots == [1]

    def test_who_looks_sees_what_waits_but_not_twice_a_minute(
        self, subject: Subject, store: Appends, clock: list[float]
    ) -> None:
        recorder.append_now(subject)
        recorder.count(subject, ONE)
        recorder.append_now(subject)
        recorder.count(subject, ONE)
        recorder.append_now(subject)
        assert store.lots == [1]
        clock[0] += 60
        recorder.append_now(subject)
        assert store.lots == [1, 1]

    def test_a_loop_appends_what_nobody_comes_by_for(
        self, subject: Subject, store: Appends, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "INTERVAL", 0.05)

        async def use() -> None:
            recorder.count(subject, ONE)
            while not store.lots:  # noqa: ASYNC110  (another thread appends)
                await asyncio.sleep(0.01)

        asyncio.run(use())
        assert total(subject).from_store == 1

    def test_a_loop_that_is_busy_has_one_timer(
        self, subject: Subject, store: Appends, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "INTERVAL", 0.02)
        timers: list[float] = []

        async def use() -> None:
            loop = asyncio.get_running_loop()
            call_later = loop.call_later

            def noted(delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
                timers.append(delay)
                return call_later(0.01, callback)

            monkeypatch.setattr(loop, "call_later", noted)
            while len(store.lots) < 5:
                recorder.count(subject, ONE)
                await asyncio.sleep(0)
            timers.clear()
            for _ in range(200):
                recorder.count(subject, ONE)
            assert len(timers) <= 1

        asyncio.run(use())

    def test_many_connections_are_bounded(self, store: Appends) -> None:
        sharing = Sharing(store, history_days=7)
        for number in range(history.MOST_CONNECTIONS + 5):
            recorder.count(Subject(f"c{number}", settings(), sharing), ONE)
        assert len(recorder._pending) == history.MOST_CONNECTIONS

    def test_nothing_is_kept_where_nobody_wants_it(self, store: Appends) -> None:
        recorder.count(Subject("orders", settings(), Sharing(store)), ONE)
        recorder.end()
        assert store.lots == []

    def test_a_store_that_does_not_work_is_given_it_later(
        self, subject: Subject, store: Appends, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "sales")
        monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "load")
        store.works = False
        recorder.count(subject, ONE)
        recorder.append_now(subject)
        store.works = True
        recorder.count(subject, ONE)
        recorder.append_now(subject)
        assert store.lots == [], "no sooner than after a minute"
        clock[0] += 60
        recorder.append_now(subject)
        assert total(subject).from_store == 2
        assert [use.dag_id for use in kept(subject).uses()] == ["sales"]

    def test_threads_lose_nothing(self, subject: Subject, store: Appends) -> None:
        def use() -> None:
            for _ in range(500):
                recorder.count(subject, ONE)
                recorder.append_now(subject)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorder.end()
        assert total(subject).from_store == 2000
        assert len(store.lots) == 2


class TestTasks:
    """Which tasks have used it."""

    def count(self, subject: Subject, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", f"a-rather-long-name-of-a-dag-{number}")
        monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "a-rather-long-name-of-a-task")
        recorder.count(subject)

    def test_what_one_delta_has_no_room_for_follows(
        self, subject: Subject, store: Appends, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(7):
            self.count(subject, number, monkeypatch)
        recorder.append_now(subject)
        first = len(kept(subject).uses())
        assert 1 <= first < 7
        clock[0] += 60
        recorder.append_now(subject)
        assert store.lots == [1, 1]
        assert len(kept(subject).uses()) > first

    def test_all_follow_at_the_end(
        self, subject: Subject, store: Appends, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(history.MOST_TASKS + 20):
            self.count(subject, number, monkeypatch)
        recorder.end()
        assert len(store.lots) == 1
        assert len(kept(subject).uses()) == history.MOST_TASKS


class TestClients:
    """What is counted of a client's searches."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
        report.reset()
        yield
        report.reset()

    def of(self, client: OAuth2Client) -> Counts:
        recorder.end()
        subject = client.subject
        assert subject is not None
        return total(subject)._replace(waited_ms=0)

    def test_tokens_and_where_they_come_from(self, service: Service) -> None:
        client = OAuth2Client("my_api", service.connection())
        for _ in range(100):
            client.get_token()
        assert self.of(client) == Counts(requests=1, granted=1, from_memory=99)
        shared.clear()
        client = OAuth2Client("my_api", service.connection())
        client.get_token()
        client.get_token()
        assert self.of(client) == Counts(requests=1, granted=1, from_memory=100, from_store=1)
        token = client.get_token()
        client.renew(token)
        assert self.of(client) == Counts(requests=2, granted=2, renewals=1, from_memory=101, from_store=1)
        assert len(service.token_requests) == 2

    def test_refusals_retries_and_cool_downs(self, service: Service) -> None:
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        client = OAuth2Client("my_api", service.connection())
        for _ in range(3):
            with pytest.raises(OAuthError):
                client.get_token()
        assert self.of(client) == Counts(requests=1, refused=1, cool_downs=2)

    def test_a_server_that_is_down(self, service: Service) -> None:
        service.token = lambda _: Json({}, 503)
        client = OAuth2Client("my_api", service.connection(max_retry_attempts=1))
        with pytest.raises(OAuthError):
            client.get_token()
        counts = self.of(client)
        assert (counts.requests, counts.retries, counts.failed, counts.granted) == (2, 1, 1, 0)

    def test_airflows_test_of_a_made_up_name_is_not_kept(self, service: Service) -> None:
        client = OAuth2Client("random", service.connection())
        client.authorize(saved=False)
        assert self.of(client) == Counts()
        client.authorize(saved=True)
        assert self.of(client) == Counts(requests=1, granted=1)


def test_a_process_that_is_short_delivers_all(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ends: as Airflow's supervisor ends a task, as a child of another, by an exception."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    environment = os.environ | {
        "AIRFLOW_CONN_MY_API": service.environment(),
        "AIRFLOW_CTX_DAG_ID": "sales",
        "AIRFLOW_CTX_TASK_ID": "load",
    }
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROCESS + ENDS]
    assert subprocess.run(command, env=environment, check=False).returncode == 3
    timeline = history_of(service.connection())
    assert timeline is not None
    counts = timeline.total(0, 1e12)
    assert (counts.tokens, counts.requests) == (301, 1)
    assert [(use.dag_id, use.task_id) for use in timeline.uses()] == [("sales", "load")]
    assert len(service.token_requests) == 1
