"""Tokens that come straight from memory, counted: nearly every call gets one, so each costs an addition."""

from __future__ import annotations

import os
from abc import abstractmethod
from contextlib import suppress
from time import monotonic
from time import time as wall_time
from weakref import WeakSet

from airflow_oauth_provider.client.derived_tokens import DerivedTokens
from airflow_oauth_provider.client.history import Subject, recorder
from airflow_oauth_provider.client.reading import ConnectionReader
from airflow_oauth_provider.client.report import report_memory_hits
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.cached_token import EMPTY, Slot
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.token_view import TokenView

REPORTED_SINGLY = 8
"""Uses of a token from memory that are reported at once: a task that ends soon has no more."""


class MemoryHits:
    """A part of the client.

    Hits are reported when the client looks into its slot, and when it searches. What is left then is counted
    for the history when the client, or the process, ends.
    """

    conn_id: str
    reader: ConnectionReader
    derived: DerivedTokens

    def __init__(self) -> None:
        self.view = TokenView()
        """Of the token in memory, for the path of nearly every call."""
        self._hits_seen = 0  # by a look into the slot
        self._slot: Slot = EMPTY
        self._slot_settings: ClientSettings | None = None
        _alive.add(self)

    @property
    def subject(self) -> Subject | None:
        """The connection, for its history; ``None`` while it has not been read."""
        own = self.reader.own_settings
        return None if own is None else Subject(self.conn_id, own, self.reader.sharing)

    def note_task(self) -> None:
        """Note in the history that the running task uses the connection."""
        if (subject := self.subject) is not None:
            recorder.count(subject)

    def held_token(self) -> AccessToken | None:
        """Return the token in memory, while it is not even worth renewing."""
        view = self.view
        if wall_time() < view.renew_at and monotonic() < view.until:
            view.hits += 1
            return view.token
        return self._look_again()

    def _look_again(self) -> AccessToken | None:
        """Look into the slot, and report the hits since the last look: each by itself would take longer."""
        settings, view = self.reader.settings, self.view
        if settings is None:  # as a thousand coroutines find it that begin at once
            return None
        if settings is not self._slot_settings:  # whoever has read it anew has not come to use it yet
            self._use_slot_of(settings)
        slot = self._slot
        token = slot.show(view)
        if token is not None:
            view.hits += 1
            self._hits_seen += 1
        if self._hits_seen <= REPORTED_SINGLY or self.reader.settings is not settings:
            view.end()  # also when the connection was read anew meanwhile
        self._report_hits()
        return self._hand_out(token)

    def _use_slot_of(self, settings: ClientSettings) -> None:
        slot = shared.slots.of(settings)
        if slot is not self._slot:
            self._slot = slot
            self.view.end()
        self._slot_settings = settings

    def _note_hit(self) -> None:
        """Count one that came by a longer path: the first of a client, where another has got the token."""
        self.view.hits += 1
        self._report_hits()

    def _report_hits(self) -> None:
        hits = self.view.taken_hits()
        settings, subject = self.reader.settings, self.subject
        if hits and settings is not None and subject is not None:
            recorded = not self.derived.chosen
            report_memory_hits(self.conn_id, settings, hits, subject=subject, recorded=recorded)

    @abstractmethod
    def _hand_out(self, token: AccessToken | None) -> AccessToken | None:
        """Remember a token that leaves."""

    def leave_hits(self) -> None:
        """Leave behind what was not reported, for the history; takes no lock."""
        if (subject := self.subject) is not None and (hits := self.view.taken_hits()):
            recorder.leave(subject, hits)

    def __del__(self) -> None:
        with suppress(Exception):  # one that was never finished, or an interpreter that is ending
            self.leave_hits()


_alive: WeakSet[MemoryHits] = WeakSet()


def _leave_all() -> None:
    for hits in list(_alive):
        hits.leave_hits()


recorder.before_end = _leave_all


def _reset_after_fork() -> None:
    """Leave to the parent what it has not reported yet."""
    for hits in list(_alive):
        hits.view.taken_hits()


os.register_at_fork(after_in_child=_reset_after_fork)
