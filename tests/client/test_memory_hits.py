"""Each token from memory is counted, in lots that do not grow old."""

from __future__ import annotations

import asyncio
import gc

import pytest

from airflow_oauth_provider.client import memory_hits, report
from airflow_oauth_provider.client.history import recorder
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from tests.support.forks import forked
from tests.support.service import Service


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lots as they are reported."""
    lots: list[int] = []

    def noted(_: str, __: object, hits: int, **___: object) -> None:
        lots.append(hits)

    monkeypatch.setattr(memory_hits, "report_memory_hits", noted)
    return lots


@pytest.mark.fault("F43")
def test_the_first_token_of_a_client_counts_where_another_has_got_it(
    service: Service, reported: list[int]
) -> None:
    OAuth2Client("my_api", service.connection()).get_token()
    OAuth2Client("my_api", service.connection()).get_token()
    assert reported == [1]
    asyncio.run(OAuth2Client("my_api", service.connection()).aget_token())
    assert reported == [1, 1]


@pytest.mark.fault("F43")
def test_what_a_client_leaves_behind_is_counted(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    report.reset()
    client = OAuth2Client("my_api", service.connection())
    client.get_token()
    sharing = Sharing(MemoryStore(), history_days=7)
    monkeypatch.setattr(client.reader, "sharing", sharing)
    for _ in range(100):
        client.get_token()
    subject = client.subject
    assert subject is not None
    del client
    gc.collect()
    recorder.end()
    assert subject.journal.timeline().total(0, 1e12).from_memory == 100
    report.reset()


class TestWithoutAnotherLook:
    """The ninth use and those after it cost an addition, for as long as a second; then all are reported."""

    @pytest.fixture
    def client(self, service: Service, reported: list[int]) -> OAuth2Client:
        client = OAuth2Client("my_api", service.connection())
        token = client.get_token()
        assert [client.held_token() for _ in range(20)] == [token] * 20
        assert reported == [1] * (memory_hits.REPORTED_SINGLY + 1)
        return client

    @pytest.mark.parametrize("clock", ["monotonic", "wall_time"])
    def test_until_its_time_is_over(
        self, clock: str, client: OAuth2Client, reported: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = getattr(memory_hits, clock)
        monkeypatch.setattr(memory_hits, clock, lambda: now() + 86_400)
        assert client.held_token() is not None, "the slot looks at clocks of its own"
        assert reported[-1] == 20 - memory_hits.REPORTED_SINGLY

    def test_until_the_connection_is_another(self, client: OAuth2Client, service: Service) -> None:
        client.reader.connection = service.connection(scope="write")
        client.reader.read()
        assert client.held_token() is None


def test_a_forked_process_reports_nothing_of_its_parents(service: Service, reported: list[int]) -> None:
    client = OAuth2Client("my_api", service.connection())
    client.get_token()
    for _ in range(20):
        client.held_token()
    assert client.view.hits > 0
    assert forked(lambda: client.view.hits) == 0
    assert client.view.hits > 0


def test_a_connection_that_was_not_read_has_no_history_and_no_token(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[object] = []
    monkeypatch.setattr(recorder, "count", noted.append)
    client = OAuth2Client("my_api", service.connection())
    client.note_task()
    assert (client.subject, client.held_token(), noted) == (None, None, [])
    client.get_token()
    client.note_task()
    assert noted[-1] == client.subject is not None
