"""A store that fails costs speed and one warning, never a task."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from airflow_oauth_provider.tokens.stores.base import Lease, NoLease, Store, StoreError
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore

log = logging.getLogger(__name__)

CIRCUIT = 30.0
"""Seconds for which a store that failed is left alone."""
WARNING_INTERVAL = 600.0
_Result = TypeVar("_Result")


class GuardedStore:
    """Use *store* while it works, and this process's memory while it does not.

    Holds no lock: the worst that threads can do to each other is to warn twice.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fallback = MemoryStore()
        self._closed_until = 0.0
        self._quiet_until = 0.0
        self.kind, self.reach = store.kind, store.reach

    def read(self, name: str) -> bytes | None:
        """Return an entry of the store, else of memory."""
        return self._try(lambda: self._store.read(name), lambda: None) or self._fallback.read(name)

    def write(self, name: str, data: bytes, *, until: float) -> None:
        """Write to the store, else to memory."""

        def write() -> None:
            self._store.write(name, data, until=until)
            self._fallback.delete(name)  # of a time when the store did not work

        self._try(write, lambda: self._fallback.write(name, data, until=until))

    def delete(self, name: str) -> None:
        """Delete in both."""
        self._fallback.delete(name)
        self._try(lambda: self._store.delete(name), lambda: None)

    def delete_if(self, name: str, data: bytes) -> None:
        """Delete in both what still is *data*."""
        self._fallback.delete_if(name, data)
        self._try(lambda: self._store.delete_if(name, data), lambda: None)

    def lease(self, name: str) -> Lease | None:
        """Take a lease; without a store everybody gets one."""
        return self._try(lambda: self._store.lease(name), NoLease)

    def append(self, name: str, items: Sequence[bytes], *, until: float) -> bool:
        """Append to the store; without one, who appends keeps it for later."""
        return self._try(lambda: self._store.append(name, items, until=until), lambda: False)

    def has_appended(self, name: str) -> bool:
        """Whether the store has something to take."""
        return self._try(lambda: self._store.has_appended(name), lambda: False)

    def take_appended(self, name: str) -> tuple[bytes, ...] | None:
        """Take it from the store."""
        return self._try(lambda: self._store.take_appended(name), lambda: None)

    def drop_taken(self, name: str) -> None:
        """Remove from the store what was taken."""
        self._try(lambda: self._store.drop_taken(name), lambda: None)

    def clear(self) -> None:
        """Forget what memory holds, and that the store has failed."""
        self._fallback.clear()
        self._closed_until = self._quiet_until = 0.0

    def _try(self, operation: Callable[[], _Result], otherwise: Callable[[], _Result]) -> _Result:
        now = time.monotonic()
        if now < self._closed_until:
            return otherwise()
        try:
            return operation()
        except StoreError as error:
            reason = str(error)
        except Exception as error:  # whatever a store raises that it should not: its text may hold anything
            reason = f"the {self.kind} store failed unexpectedly ({type(error).__name__})"
        self._closed_until = time.monotonic() + CIRCUIT
        if now >= self._quiet_until:
            self._quiet_until = now + WARNING_INTERVAL
            log.warning(
                "Tokens are not shared for now: %s. Tasks go on, each with a token of its own", reason
            )
        return otherwise()
