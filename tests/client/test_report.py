"""Metrics, the log line, and what they must not cost."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from airflow_oauth_provider.client import memory_hits, report
from airflow_oauth_provider.client.history import recorder
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.token_parameters import TokenParameters
from airflow_oauth_provider.exceptions import InvalidClientError, OAuthError, TokenEndpointError
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens import AccessToken, token_view
from airflow_oauth_provider.tokens.display_index import DisplayIndex
from airflow_oauth_provider.tokens.last_use import LastUse
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.servers.scripted import Json, Silent
from tests.support.service import Service
from tests.support.stores import SHARED, address_of

SECRET = "a-client-secret"
TASK = """
from airflow_oauth_provider.client.history import recorder
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.token_parameters import TokenParameters
OAuth2Client("my_api").get_token()
"""


class Metrics:
    """What Airflow was told, at its own boundary."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.providers.common.compat.sdk import Stats

        self.counts: Counter[str] = Counter()
        self.tags: list[dict[str, str]] = []
        self.timings: list[str] = []
        monkeypatch.setattr(Stats, "incr", create_autospec(Stats.incr, side_effect=self._incr))
        monkeypatch.setattr(Stats, "timing", create_autospec(Stats.timing, side_effect=self._timing))

    def _incr(self, stat: str, count: int = 1, rate: Any = None, *, tags: dict[str, str]) -> None:
        level = tags.get("level")
        self.counts[f"{stat}:{level}" if level else stat] += count
        self.tags.append(tags)

    def _timing(self, stat: str, dt: Any, *, tags: dict[str, str]) -> None:
        assert 0 <= dt.total_seconds() < 60
        self.timings.append(stat)
        self.tags.append(tags)


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    return Metrics(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    report.reset()
    yield tmp_path / "oauth2_token_store"
    report.reset()


def client(service: Service, **changes: Any) -> OAuth2Client:
    connection = service.connection(**changes)
    return OAuth2Client(connection.conn_id, connection)


class TestMetrics:
    """Airflow's ``Stats`` are told on the caller's side."""

    def test_a_request_and_hits_by_level(self, metrics: Metrics, service: Service, folder: Path) -> None:
        first = client(service)
        for _ in range(5):
            first.get_token()
        shared.clear()
        client(service).get_token()
        assert metrics.counts == {
            report.REQUESTS: 1,
            f"{report.HITS}:memory": 4,
            f"{report.HITS}:store": 1,
        }
        assert metrics.timings == [report.WAIT] * 2

    def test_retries_and_refusals(self, metrics: Metrics, service: Service) -> None:
        responses = iter([Json({}, 503), Json({"error": "invalid_client"}, 401)])
        service.token = lambda _: next(responses)
        with pytest.raises(InvalidClientError):
            client(service).get_token()
        assert metrics.counts[report.REQUESTS] == 2
        assert metrics.counts[report.RETRIES] == 1
        assert metrics.counts[report.REFUSALS] == 1
        assert (metrics.tags[-2]["error"], metrics.tags[-2]["retryable"]) == ("invalid_client", "false")

    def test_a_refusal_says_whether_it_passes(self, metrics: Metrics, service: Service) -> None:
        """An alert must not decide it by the text of the error, which is the server's."""
        service.token = lambda _: Json({"error": "access_denied"}, 429, [("Retry-After", "600")])
        with pytest.raises(TokenEndpointError):
            client(service).get_token()
        assert (metrics.tags[-2]["error"], metrics.tags[-2]["retryable"]) == ("access_denied", "true")

    def test_tags_hold_no_secret_and_nothing_that_statsd_gives_a_meaning(
        self, metrics: Metrics, service: Service
    ) -> None:
        client(service, conn_id="a:b|c#d,e=f").get_token()
        for tags in metrics.tags:
            assert tags["connection"] == "a_b_c_d_e_f"
            assert tags["host"] == "127.0.0.1"
            assert SECRET not in str(tags)

    def test_a_test_under_a_random_name_makes_no_series_of_its_own(
        self, metrics: Metrics, service: Service
    ) -> None:
        client(service, conn_id="airflow_test_k3j4h5").authorize()
        assert {tags["connection"] for tags in metrics.tags} == {report.UNSAVED}

    def test_coroutines_that_wait_for_one_request(self, metrics: Metrics, service: Service) -> None:
        async def both() -> None:
            await asyncio.gather(client(service).aget_token(), client(service).aget_token())

        asyncio.run(both())
        assert metrics.counts == {report.REQUESTS: 1, f"{report.HITS}:flight": 1}

    def test_a_backend_that_fails_costs_no_token(
        self, metrics: Metrics, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any, **__: Any) -> None:
            raise OSError("no such host")

        monkeypatch.setattr(metrics, "counts", None)
        from airflow.providers.common.compat.sdk import Stats

        monkeypatch.setattr(Stats, "incr", broken)
        assert client(service).get_token().value == "tok-1"

    def test_hits_are_reported_once_a_second(
        self, metrics: Metrics, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        for module in (memory_hits, token_view):
            monkeypatch.setattr(module, "monotonic", lambda: now)
        asking = client(service)
        asking.get_token()
        first = memory_hits.REPORTED_SINGLY + 1
        for expected, reports in ((first, first), (5001, first + 1)):
            for _ in range(5000):
                asking.get_token()
            assert metrics.counts[f"{report.HITS}:memory"] == expected
            assert sum("level" in tags for tags in metrics.tags) == reports
            now += token_view.VIEW_TIME
        asking.get_token(force=True)
        assert metrics.counts[f"{report.HITS}:memory"] == 10_000


class TestLogLine:
    """One line an acquisition, for people and for programs."""

    def lines(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == report.__name__]

    def test_a_token(self, service: Service, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            asking = client(service, scope="read write")
            asking.get_token()
            asking.get_token()
        (line,) = self.lines(caplog)
        host = service.server.url.removeprefix("http://")
        assert line.startswith(
            f"Access token acquired: connection=my_api host={host} client=my-client requests=1 retries=0 "
        )
        assert line.endswith('lifetime=3600 scopes="read write (as asked; the server did not say)"')
        assert "tok-1" not in caplog.text
        assert SECRET not in caplog.text

    def test_a_refusal_is_one_line_for_all_who_share_it(
        self, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        with caplog.at_level(logging.INFO):
            for _ in range(3):
                with pytest.raises(OAuthError):
                    client(service).get_token()
        (line,) = self.lines(caplog)
        assert line.startswith("No access token: connection=my_api ")
        assert line.endswith("error=invalid_client")

    def test_a_renewal_that_does_not_work(
        self, service: Service, caplog: pytest.LogCaptureFixture, metrics: Metrics
    ) -> None:
        asking, now = client(service), time.time()
        old = AccessToken("the-old-token", "Bearer", now + 100, now - 500)
        shared.slots.of(asking.settings).put(old)
        service.token = lambda _: Json({}, 503)
        with caplog.at_level(logging.INFO):
            assert asking.get_token() == old
        (line,) = self.lines(caplog)
        assert line.startswith("Access token kept, since it could not be renewed yet: connection=my_api ")
        assert metrics.counts == {report.REQUESTS: 1, f"{report.HITS}:memory": 1}

    def test_names_cannot_forge_a_line(self, service: Service, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            client(service, login='me" error=none\u2028x').get_token()
        (line,) = self.lines(caplog)
        assert r'client="me\" error=none\u2028x"' in line


class TestIndex:
    """Who writes the display index, and when."""

    def writes(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
        """Return what is recorded from now on: requests and hits."""
        recorded: list[tuple[int, int]] = []
        record = DisplayIndex.record

        def recording(index: DisplayIndex, *args: Any, **kwargs: Any) -> bool:
            recorded.append((kwargs["requests"], kwargs["hits"]))
            return record(index, *args, **kwargs)

        monkeypatch.setattr(DisplayIndex, "record", recording)
        return recorded

    def last_use(self, asking: OAuth2Client) -> LastUse:
        settings = asking.settings
        entry = DisplayIndex(asking.reader.sharing, asking.conn_id).read(settings)
        assert entry is not None
        assert entry.last_use is not None
        return entry.last_use

    def test_a_token_from_memory_touches_it_never(
        self, service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writes = self.writes(monkeypatch)
        asking = client(service)
        for _ in range(10):
            asking.get_token()
        client(service).get_token()
        assert writes == [(1, 0)]

    @pytest.mark.fault("F43")
    def test_each_token_from_the_store_is_counted(self, service: Service, folder: Path) -> None:
        """A task is a process of its own, makes no request, and ends."""
        client(service).get_token()
        for _ in range(5):
            shared.clear()
            report.reset()
            client(service).get_token()
        last_use = self.last_use(client(service))
        assert (last_use.requests, last_use.hits) == (1, 5)

    @pytest.mark.fault("F43")
    @pytest.mark.parametrize("kind", SHARED)
    def test_processes_that_begin_together_count_each_token(
        self, kind: str, service: Service, folder: Path, request: pytest.FixtureRequest
    ) -> None:
        environment = {
            **os.environ,
            "AIRFLOW_CONN_MY_API": service.environment(),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        environment["AIRFLOW__OAUTH2__TOKEN_STORE"] = address_of(kind, request)
        tasks = [
            subprocess.Popen([sys.executable, "-W", "ignore", "-c", TASK], env=environment) for _ in range(3)
        ]
        assert [task.wait() for task in tasks] == [0] * 3
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", environment["AIRFLOW__OAUTH2__TOKEN_STORE"])
            asking = client(service)
            asking.get_token()
            last_use = self.last_use(asking)
        assert len(service.token_requests) == 1
        assert (last_use.requests, last_use.hits) == (1, 3), "two of the three, and this process"

    def test_a_remembered_refusal_is_no_token(
        self, service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        for _ in range(2):
            shared.clear()
            report.reset()
            with pytest.raises(InvalidClientError):
                client(service).get_token()
        last_use = self.last_use(client(service))
        assert (last_use.requests, last_use.refusals, last_use.hits) == (1, 1, 0)

    def test_a_killed_task_says_nothing_of_the_server(
        self, service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service.token = lambda _: Silent()
        writes = self.writes(monkeypatch)
        asking = client(service)
        threading.Timer(0.3, asking.stop.stop).start()
        with pytest.raises(TaskStoppedError):
            asking.get_token()
        assert writes == []

    def test_a_coroutine_is_not_held_up_by_a_slow_store(
        self, service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        began = asyncio.run(self._recorded_meanwhile(service, monkeypatch))
        assert began, "a thread of its own writes the record"

    async def _recorded_meanwhile(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> bool:
        recording, go_on = threading.Event(), threading.Event()

        def slow(*_: Any, **__: Any) -> bool:
            recording.set()
            return go_on.wait(60)

        monkeypatch.setattr(DisplayIndex, "record", slow)
        await client(service).aget_token()
        began = recording.wait(60)
        go_on.set()
        return began

    def test_the_entry_holds_nothing_secret(self, service: Service, folder: Path) -> None:
        asking = client(service)
        token = asking.get_token()
        last_use = self.last_use(asking)
        written = last_use.dump().decode()
        for secret in (token.value, SECRET, token_key(asking.settings)):
            assert secret not in written
        assert last_use.at == pytest.approx(time.time(), abs=60)


def test_other_uses_stand_in_the_history_of_the_connection_itself(service: Service, folder: Path) -> None:
    """Of whichever tenant, whose token URL is another one."""
    given = service.connection(host=f"{service.server.url}/token/{{tenant}}", tenant="acme", tenants=["beta"])
    own = OAuth2Client("my_api", given)
    own.settings  # noqa: B018  (reads the connection)
    for chosen in ({"tenant": "beta"}, {"scope": "other"}):
        OAuth2Client("my_api", given, parameters=TokenParameters.of(**chosen)).get_token()
    recorder.end()
    assert own.subject is not None
    assert own.subject.journal.timeline().total(0, 1e12).granted == 2
    assert [request.target for request in service.token_requests] == ["/token/beta", "/token/acme"]
