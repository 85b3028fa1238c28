"""What a connection was last used with, written by many at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.tokens import display_index as index
from airflow_oauth_provider.tokens.display_index import DisplayIndex
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore

NOTE = """
import sys
from pathlib import Path
from airflow_oauth_provider.tokens.display_index import DisplayIndex
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
index = DisplayIndex(Sharing(FileStore(Path(sys.argv[1]))), "orders")
for _ in range(20):
    index.note("fingerprint", requests=1)
"""


def token() -> AccessToken:
    return AccessToken("tok", "Bearer", time.time() + 60, time.time())


@pytest.fixture(params=["file", "memory"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Sharing:
    return Sharing(FileStore(tmp_path / "store") if request.param == "file" else MemoryStore())


def test_threads_lose_no_note(sharing: Sharing) -> None:
    def note(_: int) -> None:
        DisplayIndex(sharing, "orders").note("fingerprint", token=token(), requests=1, hits=2)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(160)))
    noted = DisplayIndex(sharing, "orders").read()
    assert noted is not None
    assert (noted.requests, noted.hits, noted.refusals) == (160, 320, 0)


def test_processes_lose_no_note(tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", NOTE, str(tmp_path / "store")]) for _ in range(4)]
    assert [each.wait() for each in running] == [0] * 4
    noted = DisplayIndex(Sharing(FileStore(tmp_path / "store")), "orders").read()
    assert noted is not None
    assert noted.requests == 80


def test_a_holder_that_hangs_costs_half_a_second_and_no_note(tmp_path: Path) -> None:
    sharing = Sharing(FileStore(tmp_path / "store"))
    display = DisplayIndex(sharing, "orders")
    began = time.monotonic()
    with display._turn():
        ended = threading.Thread(target=display.note, args=("fingerprint",), kwargs={"requests": 1})
        ended.start()
        ended.join(5)
    assert index.TURN <= time.monotonic() - began < 3 * index.TURN
    noted = display.read()
    assert noted is not None
    assert noted.requests == 1


@pytest.mark.parametrize(
    ("requests", "granted", "without"), [(1, True, 0), (3, True, 2), (1, False, 1), (4, False, 4)]
)
def test_requests_that_brought_no_token(sharing: Sharing, requests: int, granted: bool, without: int) -> None:
    outcome = {"token": token()} if granted else {"error": TransportError("no answer")}
    display = DisplayIndex(sharing, "orders")
    for times in (1, 2):
        assert display.note("fingerprint", requests=requests, **outcome)
        noted = display.read()
        assert noted is not None
        assert (noted.requests, noted.refusals) == (requests * times, without * times)


def test_what_cost_nothing_is_no_note(sharing: Sharing) -> None:
    display = DisplayIndex(sharing, "orders")
    assert display.note("fingerprint", token=token(), hits=1), "the first use"
    assert not display.note("fingerprint", token=token(), hits=5)
    noted = display.read()
    assert noted is not None
    assert noted.hits == 1
