"""From the option ``token_store`` to a store."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from airflow_oauth_provider.tokens.stores.base import Store
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore

FOLDER = "oauth2_token_store"
REDIS_SCHEMES = ("redis://", "rediss://")


class UnknownStoreError(ValueError):
    """The option names no kind of store."""


memory = MemoryStore()
"""The one for whatever may not leave this process."""


@lru_cache(maxsize=16)
def open_store(option: str, home: Path) -> Store:
    """Return the store an option names, always the same one for the same option.

    :param option: ``file``, ``memory`` or a ``redis://`` or ``rediss://`` address.
    :param home: Airflow's home, below which the folder lies.
    :raises UnknownStoreError: when it is none of these; the message does not repeat the option.
    :raises ValueError: when it is no valid address of a Redis server.
    :raises ImportError: when Redis is named and its package is not installed.
    """
    if option == "memory":
        return memory
    if option == "file":
        return GuardedStore(FileStore(home / FOLDER))
    if option.startswith(REDIS_SCHEMES):
        from airflow_oauth_provider.tokens.stores.redis_store import RedisStore

        return GuardedStore(RedisStore(option))
    raise UnknownStoreError("must be file, memory, or a redis:// or rediss:// address")
