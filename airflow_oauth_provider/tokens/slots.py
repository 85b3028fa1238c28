"""The places of this process' tokens: one a key, and the least recently asked for go first.

A key has one place as long as anybody holds on to it: of two, one would go on with a token that was refused
in the other. What was refused is remembered of many more keys than have a place.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from weakref import WeakSet, WeakValueDictionary

from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.cached_token import RefusedTokens, Slot

MAX_SLOTS = 256
MAX_KEYS = 4096
"""Keys without a place, of which is remembered what was refused."""


class Slots:
    """One slot a key.

    Hooks hold on to a slot that is forgotten: it is emptied, so that they do not go on with its token.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, Slot] = OrderedDict()
        self._in_use: WeakValueDictionary[str, Slot] = WeakValueDictionary()
        self._alive: WeakSet[Slot] = WeakSet()  # also those that were dropped, while hooks hold on to them
        self._refused: OrderedDict[str, RefusedTokens] = OrderedDict()

    def of(self, settings: ClientSettings) -> Slot:
        """Return the place of these settings' token."""
        key = token_key(settings)
        with self._lock:
            slot = self._in_use.get(key)
            if slot is None:
                slot = self._in_use[key] = Slot(key, self._refused.get(key))
                self._alive.add(slot)
                self._refused.pop(key, None)  # not before: a task's timeout may end this at any place
            self._slots[key] = slot
            self._slots.move_to_end(key)
            while len(self._slots) > MAX_SLOTS:
                self._put_by(*self._slots.popitem(last=False))
            return slot

    def _put_by(self, key: str, slot: Slot) -> None:
        """Remember what was refused in a slot that may be gone soon."""
        if slot.refused:
            self._refused[key] = slot.refused
            self._refused.move_to_end(key)
        while len(self._refused) > MAX_KEYS:
            self._refused.popitem(last=False)

    def drop(self, key: str) -> None:
        """Forget a slot, and its token."""
        with self._lock:
            self._slots.pop(key, None)
            slot = self._in_use.pop(key, None)
        if slot is not None:
            with slot.lock:
                slot.empty()

    def clear(self) -> None:
        """Forget all of them; those who hold on to one keep its token."""
        with self._lock:
            self._slots.clear()
            self._in_use.clear()
            self._refused.clear()

    def reset_after_fork(self) -> None:
        """Leave behind the locks and flights of the parent's threads; tokens stay good."""
        self._lock = threading.Lock()
        for slot in list(self._alive):
            slot.lock = threading.Lock()
            slot.flight = None
