"""One suite for every store, against real folders and a real Redis; then what is each one's own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from airflow_oauth_provider.tokens.stores.base import NoLease, Reach, Store, StoreError
from airflow_oauth_provider.tokens.stores.choice import open_store
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.tokens.stores.memory_store import CAPACITY, MemoryStore
from tests.support.stores import EVERY, new_store, soon

NAME = "a1b2c3"


@pytest.fixture(params=EVERY)
def store(request: pytest.FixtureRequest, folder: Path) -> Store:
    return new_store(request.param, folder, request)


class TestEveryStore:
    """What all of them do alike."""

    def test_entries(self, store: Store) -> None:
        assert store.read(NAME) is None
        store.delete(NAME)
        store.write(NAME, b"one", until=soon())
        store.write(NAME, b"two\0\xff", until=soon())
        assert store.read(NAME) == b"two\0\xff"
        assert store.read("other") is None
        store.delete(NAME)
        assert store.read(NAME) is None

    def test_large_entries(self, store: Store) -> None:
        store.write(NAME, b"x" * 70_000, until=soon())
        assert store.read(NAME) == b"x" * 70_000

    @pytest.mark.fault("F80")
    def test_only_what_is_meant_is_removed(self, store: Store) -> None:
        store.write(NAME, b"old", until=soon())
        store.write(NAME, b"new", until=soon())
        store.delete_if(NAME, b"old")
        assert store.read(NAME) == b"new", "somebody has put another in its place"
        store.delete_if(NAME, b"new")
        assert store.read(NAME) is None
        store.delete_if(NAME, b"new")

    @pytest.mark.fault("F80")
    def test_removing_races_with_writing(self, store: Store) -> None:
        """A hundred times one thread removes the old entry and one writes the new one: none is lost."""
        for number in range(100):
            old, new = f"old-{number}".encode(), f"new-{number}".encode()
            store.write(NAME, old, until=soon())
            remover = threading.Thread(target=store.delete_if, args=(NAME, old))
            remover.start()
            store.write(NAME, new, until=soon())
            remover.join()
            assert store.read(NAME) == new

    def test_a_lease_is_released(self, store: Store) -> None:
        lease = store.lease(NAME)
        assert lease is not None
        lease.release()
        lease.release()
        again = store.lease(NAME)
        assert again is not None
        again.release()

    def test_a_lease_is_held_by_one(self, store: Store) -> None:
        if store.kind == "memory":
            pytest.skip("within one process there is one flight per key")
        first = store.lease(NAME)
        assert first is not None
        assert store.lease(NAME) is None
        other = store.lease("other")
        assert other is not None
        other.release()
        first.release()
        second = store.lease(NAME)
        assert second is not None
        first.release()
        assert store.lease(NAME) is None, "releasing twice took nothing from the second holder"
        second.release()


class TestMemory:
    """Bounded, and gone in time."""

    def test_over_is_over(self) -> None:
        store = MemoryStore()
        store.write(NAME, b"x", until=time.time() - 1)
        assert store.read(NAME) is None

    @pytest.mark.fault("P48")
    def test_it_does_not_grow_for_ever(self) -> None:
        store = MemoryStore()
        for number in range(CAPACITY + 5):
            store.write(f"{number}", b"x", until=soon())
        assert store.read("0") is None
        assert store.read(f"{CAPACITY + 4}") == b"x"


class Broken:
    """A store that fails as told, and counts."""

    kind, reach = "file", Reach.HOST

    def __init__(self) -> None:
        self.works = False
        self.calls = 0
        self.inner = MemoryStore()

    def _do(self) -> MemoryStore:
        self.calls += 1
        if not self.works:
            raise StoreError("it does not work")
        return self.inner

    def read(self, name: str) -> bytes | None:
        return self._do().read(name)

    def write(self, name: str, data: bytes, *, until: float) -> None:
        self._do().write(name, data, until=until)

    def delete(self, name: str) -> None:
        self._do().delete(name)

    def delete_if(self, name: str, data: bytes) -> None:
        self._do().delete_if(name, data)

    def lease(self, name: str) -> NoLease:
        return self._do().lease(name)

    def append(self, name: str, items: Sequence[bytes], *, until: float) -> bool:
        return self._do().append(name, items, until=until)

    def has_appended(self, name: str) -> bool:
        return self._do().has_appended(name)

    def take_appended(self, name: str) -> tuple[bytes, ...] | None:
        return self._do().take_appended(name)

    def drop_taken(self, name: str) -> None:
        self._do().drop_taken(name)


class TestGuarded:
    """Speed and one warning, never a task."""

    @pytest.mark.fault("P41")
    def test_a_broken_store_is_left_alone(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = [1000.0]
        monkeypatch.setattr("airflow_oauth_provider.tokens.stores.guarded.time.monotonic", lambda: clock[0])
        broken = Broken()
        store = GuardedStore(broken)
        with caplog.at_level(logging.WARNING):
            for _ in range(5):
                assert store.read(NAME) is None
                store.write(NAME, b"x", until=soon())
                assert store.read(NAME) == b"x", "memory helps out"
                assert store.lease(NAME) is not None
                assert store.append(NAME, [b"x"], until=soon()) is False
                store.delete_if(NAME, b"x")
                assert store.read(NAME) is None
                store.delete(NAME)
        assert broken.calls == 1
        assert len(caplog.records) == 1
        assert "it does not work" in caplog.text
        clock[0] += 31
        store.read(NAME)
        assert broken.calls == 2, "tried again after the pause"
        assert len(caplog.records) == 1, "and not warned of again so soon"
        clock[0] += 600
        store.read(NAME)
        assert len(caplog.records) == 2
        store.write(NAME, b"meanwhile", until=soon())
        broken.works = True
        clock[0] += 31
        store.write(NAME, b"back", until=soon())
        assert broken.inner.read(NAME) == b"back"
        broken.inner.delete(NAME)
        assert store.read(NAME) is None, "what memory held meanwhile is forgotten"

    def test_threads(self) -> None:
        store = GuardedStore(Broken())
        threads = [threading.Thread(target=store.read, args=(NAME,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class TestChoice:
    """The option ``token_store``."""

    def test_the_same_option_is_the_same_store(self, tmp_path: Path) -> None:
        assert open_store("file", tmp_path) is open_store("file", tmp_path)
        assert open_store("memory", tmp_path).kind == "memory"
        assert open_store("redis://127.0.0.1:1/0", tmp_path).kind == "redis"

    @pytest.mark.parametrize("option", ["files", "/tmp/x", "http://x", "unix:///x", "redis:/x"])
    def test_anything_else(self, option: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="must be file"):
            open_store(option, tmp_path)


@pytest.fixture(autouse=True)
def _forget_stores() -> Iterator[None]:
    yield
    open_store.cache_clear()
