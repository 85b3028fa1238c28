"""Entries of this process only."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Sequence

from airflow_oauth_provider.tokens.stores.base import MOST_APPENDED, NoLease, Reach

CAPACITY = 1024
_alive: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


class MemoryStore:
    """Hold entries while the process lives; the least recently written go first.

    Leases are not needed: within one process there is one flight per key anyway.
    """

    kind = "memory"
    reach = Reach.PROCESS

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._appended: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()
        _alive.add(self)

    def read(self, name: str) -> bytes | None:
        """Return an entry that is not over."""
        entry = self._entries.get(name)
        return entry[0] if entry is not None and time.time() < entry[1] else None

    def write(self, name: str, data: bytes, *, until: float) -> None:
        """Keep an entry."""
        with self._lock:
            self._entries[name] = data, until
            self._entries.move_to_end(name)
            while len(self._entries) > CAPACITY:
                self._entries.popitem(last=False)

    def delete(self, name: str) -> None:
        """Drop an entry."""
        with self._lock:
            self._entries.pop(name, None)

    def delete_if(self, name: str, data: bytes) -> None:
        """Drop an entry that still is *data*."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None and entry[0] == data:
                del self._entries[name]

    def lease(self, name: str) -> NoLease:
        """Grant it: see the class."""
        return NoLease()

    def append(self, name: str, items: Sequence[bytes], *, until: float) -> bool:
        """Keep them while the process lives."""
        with self._lock:
            self._appended[name] = (*self._appended.pop(name, ()), *items)[-MOST_APPENDED:]
            while len(self._appended) > CAPACITY:
                self._appended.popitem(last=False)
        return True

    def has_appended(self, name: str) -> bool:
        """Whether any are kept."""
        return name in self._appended

    def take_appended(self, name: str) -> tuple[bytes, ...] | None:
        """Take them out: who takes them lives as long as they would."""
        with self._lock:
            return self._appended.pop(name, None)

    def drop_taken(self, name: str) -> None:
        """Do nothing: they are gone already."""

    def clear(self) -> None:
        """Drop everything, and the lock with it (a forked child may have inherited it locked)."""
        self._lock = threading.Lock()
        self._entries = OrderedDict()
        self._appended = OrderedDict()

    def reset_after_fork(self) -> None:
        """Keep the entries; the lock may be held by a thread that is gone."""
        self._lock = threading.Lock()


def _reset_after_fork() -> None:
    for store in list(_alive):
        store.reset_after_fork()


os.register_at_fork(after_in_child=_reset_after_fork)
