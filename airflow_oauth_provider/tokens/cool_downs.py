"""The cool-downs of APIs: what one task has heard, all tasks of the same credential heed.

Rules:

* A cool-down is of one credential and one origin. It ends after 300 s at the most, by a clock that never
  jumps: what an entry says of the wall clock is turned into seconds once, when the entry is first seen.
* Memory decides. The store is read at most once a second and process, and written at most once a second, for
  all connections together: one entry of the store holds the records of all credentials, each sealed under its
  own and bound to its own name. A record that does not open, or is not what it should be, is none.
* Who writes puts its records beside those that it read. A record that another process has overwritten
  meanwhile is written again at the next look.
* When a cool-down is over, one caller of this process goes first, and the others wait for what the API says.
  What comes back before the end says nothing.
* ``Board.quiet_until`` is all that a call reads while no cool-down is known. Every other change of a board is
  made under its lock, or is one step of the interpreter.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from weakref import WeakKeyDictionary

from airflow_oauth_provider.protocol.call.cool_down import LONGEST
from airflow_oauth_provider.protocol.call.effects import CoolDown
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import credential_key
from airflow_oauth_provider.protocol.urls import Origin
from airflow_oauth_provider.tokens.clocks import elapsed_clock
from airflow_oauth_provider.tokens.cool_down_records import (
    HeldCoolDown,
    Record,
    dump_records,
    opened_record,
    read_records,
    sealed_record,
)
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Reach, Store

INTERVAL = 1.0
"""Seconds between two looks at the store, and between two times that it is written, at the least."""
ENTRY = "api-cool-downs"
"""Name of the entry; it says nothing of anybody."""
MOST_SEEN = 1024
FIRST = 5.0
"""Seconds for which others wait for the response to the call that goes first."""
GLANCE = 0.2
"""Seconds between two looks at whether it is there."""
_ALIKE = 0.5
"""Seconds by which a cool-down must end later to be another one."""


class Board:
    """What this process knows of the cool-downs in one store."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self.clear()

    def clear(self) -> None:
        """Know nothing."""
        self.renew_locks()
        self.held: dict[str, HeldCoolDown] = {}
        self.records: dict[str, Record] = {}
        self._seen: OrderedDict[str, HeldCoolDown | None] = OrderedDict()
        self._own: dict[str, Record] = {}
        self._unwritten = False
        self._looked = False
        self._next_look = math.inf if self._alone else -math.inf
        self._next_write = -math.inf
        self.quiet_until = self._next_look
        """Monotonic seconds until which no call needs to look at anything."""

    def renew_locks(self) -> None:
        """Make locks that nobody holds."""
        self._lock = threading.Lock()  # held for moments only, since coroutines wait for it
        self._store_lock = threading.Lock()  # held while the store is read or written

    def is_due(self) -> bool:
        """Whether it is time to look at the store."""
        return time.monotonic() >= self._next_look

    def look(self, store: Store) -> None:
        """Read what others have heard, unless that was done within the last second; may block."""
        if not self.is_due():
            return
        with self._store_lock:
            if not self.is_due():  # another thread was faster
                return
            if self._looked:
                self._next_look = time.monotonic() + INTERVAL  # the others go on with what is known
            content = store.read(ENTRY)
            with self._lock:
                now = time.time()
                self.records = read_records(content, now)
                self._own = {name: own for name, own in self._own.items() if self._is_missing(name, own, now)}
                self._unwritten = bool(self._own)
            self._looked, self._next_look = True, time.monotonic() + INTERVAL
        self.write(store)
        self.settle()

    def wants_writing(self) -> bool:
        """Whether this process has heard what it has not written, and may write now."""
        return self._unwritten and time.monotonic() >= self._next_write

    def write(self, store: Store) -> None:
        """Write what this process has heard, unless it has written within the last second; may block."""
        with self._store_lock:
            with self._lock:
                if not self.wants_writing():
                    return
                self._next_write = time.monotonic() + INTERVAL
                self._unwritten = False
                self.records = {**self.records, **self._own}
                content, until = dump_records(self.records)
            store.write(ENTRY, content, until=until)

    def add(self, name: str, held: HeldCoolDown, seal: Callable[[bytes], bytes]) -> None:
        """Take note of a cool-down that this process has heard of.

        :param seal: as of :func:`sealed_record`.
        """
        self.held[name] = held
        if not self._alone:
            record = sealed_record(held, seal)
            with self._lock:
                self._remember(record[1], held)
                self._own[name] = record
                self._unwritten = True
        self.settle()

    def read(self, name: str, unseal: Callable[[bytes], bytes | None]) -> HeldCoolDown | None:
        """Return what a record of the store says; it is turned into seconds once.

        :param unseal: opens it.
        """
        record = self.records.get(name)
        if record is None:
            return None
        sealed = record[1]
        if sealed not in self._seen:
            held = opened_record(sealed, unseal)
            with self._lock:
                self._remember(sealed, held)
        return self._seen.get(sealed)

    def goes_first(self, held: HeldCoolDown, now: float) -> bool:
        """Whether a caller is the one that goes first after the end of a cool-down."""
        with self._lock:
            if held.first_until is not None:
                return False
            held.first_until = now + FIRST
            return True

    def end(self, name: str, held: HeldCoolDown) -> None:
        """Forget a cool-down that is over, though the store may still have its record."""
        with self._lock:
            if self.held.get(name) is held:
                del self.held[name]
            for sealed, known in self._seen.items():
                if known is held:
                    self._seen[sealed] = None
        self.settle()

    def settle(self) -> None:
        """Say from when on calls must look again."""
        for name, held in list(self.held.items()):
            if elapsed_clock() > held.ends_at + LONGEST:  # nobody has called since
                self.held.pop(name, None)
        with self._lock:  # else a cool-down of which another thread hears meanwhile would be passed over
            self.quiet_until = -math.inf if self.held or self.records else self._next_look

    def _remember(self, sealed: str, held: HeldCoolDown | None) -> None:
        self._seen[sealed] = held
        while len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    def _is_missing(self, name: str, own: Record, now: float) -> bool:
        return own[0] > now and self.records.get(name, (0.0, ""))[0] < own[0] - _ALIKE


_boards: WeakKeyDictionary[Store, Board] = WeakKeyDictionary()


class CoolDowns:
    """The cool-downs of one credential.

    :param settings: of the client.
    """

    def __init__(self, settings: ClientSettings, sharing: Sharing) -> None:
        self.settings = settings
        self.store = sharing.store_for(settings)
        self.board = _boards.setdefault(self.store, Board(alone=self.store.reach is Reach.PROCESS))
        self._sealers = sharing.sealers(settings)

    def standing(self, origin: Origin) -> CoolDown | None:
        """Return the cool-down in force, as far as this process knows.

        After its end ``None`` for the one call that goes first; for others one of a moment.
        """
        board, name = self.board, self._names(origin)[0]
        held = board.held.get(name)
        for own_name, sealer in zip(self._names(origin), self._sealers, strict=True):
            shared = board.read(own_name, partial(sealer.open, own_name)) if board.records else None
            if shared is not None and (held is None or shared.ends_at > held.ends_at + _ALIKE):
                held = board.held[name] = shared
        if held is None:
            return None
        now = elapsed_clock()
        if now < held.ends_at:
            return CoolDown(held.ends_at - now, held.whole, held.status)
        if board.goes_first(held, now):
            return None
        if now < (held.first_until or 0.0):
            return CoolDown(GLANCE, held.whole, held.status)
        board.end(name, held)
        return None

    def heard(self, origin: Origin, status: int, seconds: float) -> None:
        """Take note that an API asks to be left alone."""
        seconds, name, now = min(seconds, LONGEST), self._names(origin)[0], elapsed_clock()
        held = self.board.held.get(name)
        if held is not None and held.first_until is None and held.ends_at >= now + seconds - _ALIKE:
            return
        begun = HeldCoolDown(now + seconds, seconds, status)
        self.board.add(name, begun, partial(self._sealers[0].seal, name))

    def answered(self, origin: Origin) -> None:
        """Take note that an API has answered a call, and does not ask to be left alone."""
        name = self._names(origin)[0]
        held = self.board.held.get(name)
        if held is not None and elapsed_clock() >= held.ends_at:
            self.board.end(name, held)

    def look(self) -> None:
        """Read what other processes have heard, if it is time; may block."""
        self.board.look(self.store)

    def publish(self) -> None:
        """Let other processes know, if there is anything new and it is time; may block."""
        self.board.write(self.store)

    def _names(self, origin: Origin) -> tuple[str, ...]:
        key = f"{credential_key(self.settings)} {origin}"
        return tuple(sealer.name("cool-down", key) for sealer in self._sealers)


def clear() -> None:
    """Know no more than a new process does."""
    for board in list(_boards.values()):
        board.clear()


def _reset_after_fork() -> None:
    """Keep what is known; a lock may be held by a thread that is gone."""
    for board in list(_boards.values()):
        board.renew_locks()


os.register_at_fork(after_in_child=_reset_after_fork)
