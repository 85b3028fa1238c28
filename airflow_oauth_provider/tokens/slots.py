"""The places of this process' tokens: one a key, and the least recently asked for go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from weakref import WeakSet

from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.cached_token import Slot

MAX_SLOTS = 256


class Slots:
    """One slot a key.

    Hooks hold on to a slot that is dropped here: it is emptied, so that they do not go on with its token.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, Slot] = OrderedDict()
        self._alive: WeakSet[Slot] = WeakSet()  # those too that only hooks hold on to

    def of(self, settings: ClientSettings) -> Slot:
        """Return the place of these settings' token."""
        key = token_key(settings)
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = Slot(key)
                self._alive.add(slot)
            self._slots.move_to_end(key)
            while len(self._slots) > MAX_SLOTS:
                self._slots.popitem(last=False)
            return slot

    def drop(self, key: str) -> None:
        """Forget a slot, and its token."""
        with self._lock:
            slot = self._slots.pop(key, None)
        if slot is not None:
            with slot.lock:
                slot.empty()

    def clear(self) -> None:
        """Forget all of them; those who hold on to one keep its token."""
        with self._lock:
            self._slots.clear()

    def reset_after_fork(self) -> None:
        """Leave behind the locks and flights of the parent's threads; tokens stay good."""
        self._lock = threading.Lock()
        for slot in list(self._alive):
            slot.lock = threading.Lock()
            slot.flight = None
