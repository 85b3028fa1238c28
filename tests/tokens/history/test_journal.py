"""The history in a store: appended by many, merged by one, and believed only where it opens."""

from __future__ import annotations

import base64
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.history.counts import Counts
from airflow_oauth_provider.tokens.history.delta import Delta
from airflow_oauth_provider.tokens.history.journal import Journal
from airflow_oauth_provider.tokens.history.task_names import dumped_task
from airflow_oauth_provider.tokens.history.timeline import Timeline
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Store
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from tests.support.builders import settings
from tests.support.stores import EVERY, new_store

MINUTE = int(time.time() // 60)
ONE = Delta(MINUTE, Counts(requests=1, granted=1), (dumped_task("dag", "task"),))


FORK = multiprocessing.get_context("fork")


def append(mine: Journal, times: int) -> None:
    for _ in range(times):
        assert mine.append([ONE])


def new_key() -> Secret:
    return Secret(base64.b64encode(os.urandom(32)).decode())


def journal(
    store: Store,
    *,
    keys: tuple[Secret, ...] = (),
    current: ClientSettings | None = None,
    conn_id: str = "orders",
) -> Journal:
    return Journal(conn_id, current or settings(), Sharing(store, keys, history_days=7))


def granted(mine: Journal) -> int:
    return mine.timeline().total(0, 1e12).granted


@pytest.fixture(params=EVERY)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return new_store(request.param, tmp_path / "store", request)


def test_what_is_appended_is_merged(store: Store) -> None:
    mine = journal(store)
    assert not mine.timeline().buckets
    assert mine.strip(merge=True) is None
    for _ in range(3):
        assert mine.append([ONE, ONE])
    strip = mine.strip(merge=True)
    assert strip is not None
    assert strip.day(MINUTE * 60)[-1].requests == 6
    assert mine.append([ONE])
    unmerged, merged = mine.strip(merge=False), mine.strip(merge=True)
    assert unmerged == strip
    assert merged is not None
    assert merged.day(MINUTE * 60)[-1].requests == 7
    assert granted(journal(store)) == 7
    assert [use.dag_id for use in mine.timeline().uses()] == ["dag"]
    mine.append([ONE])
    mine.clear()
    assert granted(mine) == 0


def test_who_appends_reads_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("read", "take_appended", "has_appended", "lease"):
        monkeypatch.setattr(type(store), name, None)
    assert journal(store).append([ONE])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_and_merges_at_once_lose_nothing(tmp_path: Path) -> None:
    mine = journal(FileStore(tmp_path / "store"))
    processes = [FORK.Process(target=append, args=(mine, 300)) for _ in range(3)]
    for process in processes:
        process.start()
    seen = 0
    while any(process.is_alive() for process in processes):
        now = granted(mine)
        assert now >= seen
        seen = now
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert granted(mine) == 900


def test_threads_that_merge_at_once_count_nothing_twice(store: Store) -> None:
    mine = journal(store)
    mine.append([ONE] * 50)
    threads = [threading.Thread(target=journal(store).timeline) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert granted(mine) == 50


def test_a_merge_that_was_interrupted_is_not_done_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = journal(store)
    mine.append([ONE])

    def die(_: Any, name: str) -> None:
        raise KeyboardInterrupt(name)

    if not isinstance(store, MemoryStore):
        with monkeypatch.context() as patch:
            patch.setattr(type(store), "drop_taken", die)
            with pytest.raises(KeyboardInterrupt):
                mine.timeline()
    mine.append([ONE])
    assert granted(mine) == 2
    assert granted(mine) == 2


def test_a_merge_that_was_interrupted_before_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(store, MemoryStore):
        pytest.skip("what memory has is as mortal as who takes it")
    mine = journal(store)
    mine.append([ONE])

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "write", die)
        with pytest.raises(KeyboardInterrupt):
            mine.timeline()
    assert granted(mine) == 1


class TestForeign:
    """What anybody who can write to the store might put there."""

    @pytest.fixture
    def names(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Names under which the journal appends."""
        names: list[str] = []
        append = type(store).append

        def noted(self: Any, name: str, items: Sequence[bytes], *, until: float) -> bool:
            names.append(name)
            return append(self, name, items, until=until)

        monkeypatch.setattr(type(store), "append", noted)
        return names

    def test_what_does_not_open_is_skipped(self, store: Store, names: list[str]) -> None:
        mine = journal(store)
        mine.append([ONE])
        (name,) = names
        sealed: list[bytes] = []
        other = journal(MemoryStore(), conn_id="invoices")
        other.append([ONE])
        sealed += other._store.take_appended(other._names[0]) or ()
        cut = sealed[0][:-1]
        store.append(name, [b"junk", os.urandom(150), b"", sealed[0], cut], until=time.time() + 60)
        mine.append([ONE])
        assert granted(mine) == 2

    def test_an_entry_stands_for_no_delta_and_no_delta_for_an_entry(
        self, store: Store, names: list[str]
    ) -> None:
        mine = journal(store)
        mine.append([ONE])
        (name,) = names
        appended = store.take_appended(name) or ()
        store.write(name, appended[0], until=time.time() + 60)
        store.drop_taken(name)
        assert granted(mine) == 0
        assert mine.strip(merge=False) is None
        mine.append([ONE])
        assert granted(mine) == 1

    def test_a_forged_entry_is_none(self, store: Store, names: list[str]) -> None:
        mine = journal(store)
        mine.append([ONE])
        assert granted(mine) == 1
        data = store.read(names[0])
        assert data is not None
        for forged in (b"", b"\x01" * 5000, data[:-1], data[:100] + bytes([data[100] ^ 1]) + data[101:]):
            store.write(names[0], forged, until=time.time() + 60)
            assert granted(mine) == 0
            assert mine.strip(merge=False) is None
        mine.append([ONE])
        assert granted(mine) == 1

    def test_what_opens_and_is_of_another_version_is_skipped(self, store: Store, names: list[str]) -> None:
        mine = journal(store)
        mine.append([ONE])
        name, one = names[0], mine._sealers[0]
        store.append(name, [one.seal(f"{name}.delta", b"\x09later")], until=time.time() + 60)
        assert granted(mine) == 1
        store.write(name, one.seal(name, b"\x09later"), until=time.time() + 60)
        assert granted(mine) == 0
        assert mine.strip(merge=False) is None


class TestCredentials:
    """Whose history it is."""

    def test_another_credential_begins_anew(self, store: Store) -> None:
        journal(store).append([ONE])
        rotated = settings(client_secret=Secret("another-secret"))
        assert granted(journal(store, current=rotated)) == 0
        assert granted(journal(store)) == 1, "nothing of the former one was touched"

    def test_with_a_store_key_it_outlives_a_rotated_secret(self, store: Store) -> None:
        key = new_key()
        journal(store, keys=(key,)).append([ONE])
        rotated = settings(client_secret=Secret("another-secret"))
        assert granted(journal(store, keys=(key,), current=rotated)) == 1
        for other in (settings(client_id="other"), settings(custom=None, client_id="my-client2")):
            assert granted(journal(store, keys=(key,), current=other)) == 0, "another client's is another"
        assert granted(journal(store, keys=(key,), conn_id="invoices")) == 0

    def test_the_store_key_is_rotated(self, store: Store) -> None:
        old, new = new_key(), new_key()
        journal(store, keys=(old,)).append([ONE])
        assert granted(journal(store, keys=(old,))) == 1
        journal(store, keys=(old,)).append([ONE])
        both = journal(store, keys=(new, old))
        both.append([ONE])
        assert granted(both) == 3
        assert granted(journal(store, keys=(new,))) == 3

    def test_without_credential_and_key_it_stays_in_the_process(self, store: Store) -> None:
        unknown = settings(auth_method="custom", client_secret=None)
        mine = journal(store, current=unknown)
        mine.append([ONE])
        assert granted(mine) == 1
        if not isinstance(store, MemoryStore):
            assert not any(map(store.has_appended, mine._names))
        mine.clear()


def test_nothing_in_the_store_can_be_read(tmp_path: Path) -> None:
    mine = journal(FileStore(tmp_path / "store"))
    mine.append([ONE])
    mine.timeline()
    mine.append([ONE])
    everything = b"".join(path.read_bytes() + path.name.encode() for path in (tmp_path / "store").iterdir())
    for known in (b"dag", b"task", b"orders", b"my-client", base64.b64encode(b"dag")):
        assert known not in everything


def test_an_entry_is_bounded(tmp_path: Path) -> None:
    mine = journal(FileStore(tmp_path / "store"))
    for start in range(0, 10_000, 500):
        mine.append(
            [
                Delta(
                    MINUTE - number, Counts(*[number] * 12), (dumped_task(os.urandom(40).hex(), str(number)),)
                )
                for number in range(start, start + 500)
            ]
        )
    assert isinstance(mine.timeline(), Timeline)
    assert max(path.stat().st_size for path in (tmp_path / "store").iterdir()) <= 64 * 1024
