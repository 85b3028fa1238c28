"""Every kind of store, for suites that hold for all: a new one has its place here."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airflow_oauth_provider.tokens.stores import redis_store
from airflow_oauth_provider.tokens.stores.base import Store
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from airflow_oauth_provider.tokens.stores.redis_store import RedisStore
from tests.support.servers.redis_server import RedisServer

SHARED = ("file", "redis")
"""Kinds that processes share."""
EVERY = ("memory", *SHARED)


def soon() -> float:
    """Return a time until which entries are good, beyond the end of a test."""
    return time.time() + 60


def address_of(kind: str, request: pytest.FixtureRequest) -> str:
    """Return the option ``token_store`` for a store of that kind, whose server runs."""
    if kind != "redis":
        return kind
    # A store that is slower than it may be is given up: on a busy machine that would fail tests of others.
    request.getfixturevalue("monkeypatch").setattr(redis_store, "OPERATION_TIMEOUT", 10.0)
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


def new_store(kind: str, folder: Path, request: pytest.FixtureRequest) -> Store:
    """Return an empty store that is not guarded: it raises what goes wrong.

    :param folder: for its files.
    """
    if kind == "memory":
        return MemoryStore()
    if kind == "file":
        return FileStore(folder)
    return RedisStore(address_of(kind, request))
