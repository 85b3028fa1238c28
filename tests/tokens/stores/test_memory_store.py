from __future__ import annotations

import os
import time

import pytest

from airflow_oauth_provider.tokens.stores.memory_store import CAPACITY, MemoryStore


def later() -> float:
    return time.time() + 600


def test_the_least_recently_written_go_first() -> None:
    store = MemoryStore()
    for number in range(CAPACITY):
        store.write(str(number), b"x", until=later())
    store.write("0", b"again", until=later())
    store.write("new", b"x", until=later())
    assert store.read("0") == b"again"
    assert store.read("1") is None
    assert store.read("2") == b"x"


def test_an_entry_ends_by_itself() -> None:
    store = MemoryStore()
    store.write("a", b"x", until=time.time() - 1)
    assert store.read("a") is None


def test_everybody_gets_a_lease() -> None:
    store = MemoryStore()
    leases = [store.lease("a") for _ in range(3)]
    for lease in leases:
        lease.release()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_is_not_held_by_a_lock_of_its_parent() -> None:
    store = MemoryStore()
    store.write("a", b"x", until=later())
    store._lock.acquire()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.write("b", b"y", until=later())
            code = 0 if (store.read("a"), store.read("b")) == (b"x", b"y") else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    store._lock.release()
    assert os.waitstatus_to_exitcode(status) == 0
    assert store.read("b") is None
