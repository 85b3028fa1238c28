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
