from __future__ import annotations

import inspect

import pytest

from airflow_oauth_provider.tokens.held_token import MAX_TOKEN
from airflow_oauth_provider.tokens.stores.base import MAX_ENTRY, NoLease, Reach, Store
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from airflow_oauth_provider.tokens.stores.redis_store import RedisStore

METHODS = [name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("kind", [FileStore, GuardedStore, MemoryStore, RedisStore])
def test_each_store_has_the_methods_of_the_interface(kind: type) -> None:
    for name in METHODS:
        expected = inspect.signature(getattr(Store, name)).parameters
        assert list(inspect.signature(getattr(kind, name)).parameters) == list(expected), name


def test_who_shares_a_store() -> None:
    assert (MemoryStore.reach, FileStore.reach, RedisStore.reach) == (Reach.PROCESS, Reach.HOST, Reach.HOSTS)


def test_the_longest_token_that_is_believed_fits() -> None:
    assert MAX_ENTRY > MAX_TOKEN + 4096


def test_a_lease_of_nobody_can_be_given_back_again_and_again() -> None:
    lease = NoLease()
    lease.release()
    lease.release()
