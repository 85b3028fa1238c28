from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from airflow_oauth_provider.tokens.stores import guarded
from airflow_oauth_provider.tokens.stores.base import NoLease, StoreError
from airflow_oauth_provider.tokens.stores.guarded import CIRCUIT, WARNING_INTERVAL, GuardedStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore


class Failing(MemoryStore):
    """A store that counts what it is asked, and works when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = StoreError("the disk is full")
        self.asked = 0

    def _or_fail(self) -> None:
        self.asked += 1
        if self.error:
            raise self.error

    def read(self, name: str) -> bytes | None:
        self._or_fail()
        return super().read(name)

    def write(self, name: str, data: bytes, *, until: float) -> None:
        self._or_fail()
        super().write(name, data, until=until)

    def lease(self, name: str) -> NoLease:
        self._or_fail()
        return super().lease(name)


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(guarded.time, "monotonic", lambda: self.now)  # type: ignore[attr-defined]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def later() -> float:
    return time.time() + 600


def test_while_it_fails_memory_serves_and_it_is_left_alone(clock: Clock) -> None:
    broken = Failing()
    store = GuardedStore(broken)
    store.write("a", b"x", until=later())
    assert store.read("a") == b"x"
    assert store.lease("a") is not None
    assert broken.asked == 1
    clock.now += CIRCUIT
    broken.error = None
    assert store.read("a") == b"x", "what memory took meanwhile is still there"
    store.write("a", b"y", until=later())
    assert store.read("a") == b"y"
    assert MemoryStore.read(broken, "a") == b"y"


def test_it_warns_once_in_a_while(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    store = GuardedStore(Failing())
    for _ in range(int(WARNING_INTERVAL // CIRCUIT) + 1):
        store.read("a")
        clock.now += CIRCUIT
    assert [record.getMessage().count("the disk is full") for record in caplog.records] == [1, 1]


def test_a_foreign_error_is_told_by_its_type_only(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    broken = Failing()
    broken.error = RuntimeError("redis://:the-password@host")
    assert GuardedStore(broken).read("a") is None
    assert "RuntimeError" in caplog.text
    assert "the-password" not in caplog.text


def test_deleting_is_done_in_both(clock: Clock) -> None:
    broken = Failing()
    store = GuardedStore(broken)
    store.write("a", b"x", until=later())
    store.delete_if("a", b"other")
    assert store.read("a") == b"x"
    store.delete_if("a", b"x")
    assert store.read("a") is None
    store.write("b", b"x", until=later())
    store.delete("b")
    assert store.read("b") is None


@pytest.mark.fault("F80")
def test_what_is_meant_no_longer_stays() -> None:
    store = MemoryStore()
    guard, until = GuardedStore(store), time.time() + 60
    guard.write("name", b"newer", until=until)
    guard.delete_if("name", b"older")
    assert store.read("name") == guard.read("name") == b"newer"
    guard.delete_if("name", b"newer")
    assert store.read("name") is guard.read("name") is None


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.delete_if("a", b"x"),
        lambda store: store.delete("a"),
        lambda store: store.drop_taken("a"),
    ],
    ids=["delete_if", "delete", "drop_taken"],
)
def test_whatever_it_is_asked_first_its_failure_ends_no_task(use: Callable[[GuardedStore], None]) -> None:
    class Broken(MemoryStore):
        def delete(self, name: str) -> None:
            raise StoreError("the disk is full")

        drop_taken = delete

        def delete_if(self, name: str, data: bytes) -> None:
            self.delete(name)

    use(GuardedStore(Broken()))


def test_cleared_it_knows_nothing_and_tries_again(clock: Clock) -> None:
    broken = Failing()
    store = GuardedStore(broken)
    store.write("a", b"x", until=later())
    broken.error = None
    store.clear()
    assert store.read("a") is None
    assert broken.asked == 2
