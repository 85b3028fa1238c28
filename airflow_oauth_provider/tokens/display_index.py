"""What a connection was last used with: for displays only.

A token is found by the fingerprint of its settings, so nothing in the store shows which connection
has been edited. This index does: (team, connection id) → fingerprint and outcome. The fingerprint
here is another one than a token's and opens nothing.

Rules:

- An entry lies under its connection's name, so that it is found after the credential was rotated.
- It is sealed as tokens are, under the client's own credential and ``store_key``: anybody who can write
  to the store, and knows neither, can remove it or make it unreadable, and cannot make it say anything.
- What does not open was sealed with another credential: the connection was *edited since*, without
  details. What opens and does not hold together is not known.
- A client without a credential, in a deployment without ``store_key``, has nothing to seal with: its
  entry is sealed under its name, and displays say that it is *not verified*.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens import own_records
from airflow_oauth_provider.tokens.last_use import LastUse, Probe
from airflow_oauth_provider.tokens.records import Status, concerns_others
from airflow_oauth_provider.tokens.sealing import Sealer, looks_sealed, sealer
from airflow_oauth_provider.tokens.sharing import Sharing

KEPT = 30 * 86_400.0
"""Seconds for which the index remembers a connection that nobody uses."""
TURN = 0.5
"""Seconds a writer waits for its turn at most; then a count may be lost, and nothing else."""
_PURPOSE = "last-use"
_one_at_a_time = threading.RLock()
"""Of a kind that knows its owner: who is thrown out by a task's timeout may not know whether it has it."""


def display_fingerprint(settings: ClientSettings) -> str:
    """Return what changes when the settings do; of no use for finding a token."""
    return _fingerprint(token_key(settings))


@lru_cache(maxsize=1024)
def _fingerprint(key: str) -> str:
    return hashlib.sha256(f"{_PURPOSE}\0{key}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class IndexEntry:
    """What the index says of a connection.

    :param last_use: ``None`` where the entry was sealed with another credential than the present one.
    :param edited: the settings are others than those that were used last.
    :param verified: only who knows the credential, or ``store_key``, can have written it.
    """

    last_use: LastUse | None
    edited: bool
    verified: bool


class DisplayIndex:
    """The entry of one connection.

    :param team: that owns it, where Airflow says so; tasks do not know it.
    """

    def __init__(self, sharing: Sharing, conn_id: str, team: str | None = None) -> None:
        self._store = sharing.store
        self._sharing = sharing
        self._key = f"{team or ''}\0{conn_id}"
        # Name the entry, and seal it where there is nothing better.
        self._by_name: tuple[Sealer, ...] = tuple(
            sealer(Secret(self._key), key) for key in (sharing.keys or (None,))
        )

    def read(self, settings: ClientSettings) -> IndexEntry | None:
        """Return what is known of a connection that has these settings now."""
        sealers, verified = self._sealers(settings)
        foreign = False
        for name in self._names():
            data = self._store.read(name)
            if data is None or not looks_sealed(data):
                continue
            last_use, content = _own_record(sealers, name, data), None
            if last_use is None:
                content = next(filter(None, (candidate.open(name, data) for candidate in sealers)), None)
                last_use = LastUse.load(content) if content is not None else None
            if last_use is not None:
                edited = last_use.fingerprint != display_fingerprint(settings)
                return IndexEntry(last_use, edited, verified)
            foreign = foreign or content is None
        return IndexEntry(None, edited=True, verified=verified) if foreign else None

    def record(
        self,
        settings: ClientSettings,
        *,
        token: AccessToken | None = None,
        error: OAuthError | None = None,
        requests: int = 0,
        hits: int = 0,
    ) -> bool:
        """Record a use: the *token* it brought, or the *error* it ended with.

        :param requests: made for it; 0 where the token or error was there already.
        :param hits: tokens served without a request since the last record.
        :return: whether there was anything to record: a use that cost and served nothing is recorded
            only where the connection was last seen with other settings.
        """
        if not requests and not hits and self._is_current(self.read(settings)):
            return False
        with self._turn():
            self._record(settings, token, error, requests, hits)
        return True

    def _record(
        self,
        settings: ClientSettings,
        token: AccessToken | None,
        error: OAuthError | None,
        requests: int,
        hits: int,
    ) -> None:
        now, entry = time.time(), self.read(settings)
        before = entry.last_use if entry and entry.last_use else LastUse("", now, Status(), since=now)
        current = self._is_current(entry)
        status = before.status if current else Status()
        last_use = replace(
            before,
            fingerprint=display_fingerprint(settings),
            at=now,
            status=_after(status, token, error, now),
            requests=before.requests + requests,
            # The last request brought the token; those before it were refused, or had no response.
            refusals=before.refusals + (requests if error else max(0, requests - 1)),
            hits=before.hits + hits,
            probe=before.probe if current else None,
        )
        self._write(settings, last_use)

    def record_probe(self, settings: ClientSettings, *, ok: bool, text: str) -> None:
        """Record what a call of ``probe_path`` came to, beside the use that brought the token for it."""
        with self._turn():
            entry = self.read(settings)
            if entry is not None and entry.last_use is not None and not entry.edited:
                self._write(settings, replace(entry.last_use, probe=Probe.now(text, ok=ok)))

    def _write(self, settings: ClientSettings, last_use: LastUse) -> None:
        sealers, _ = self._sealers(settings)
        name, now = next(self._names()), time.time()
        data = sealers[0].seal(name, last_use.dump())
        self._store.write(name, data, until=now + KEPT)
        if last_use.status.reads_back(now):
            own_records.keep(sealers[0], name, data, last_use)

    @staticmethod
    def _is_current(entry: IndexEntry | None) -> bool:
        return entry is not None and not entry.edited

    def _sealers(self, settings: ClientSettings) -> tuple[tuple[Sealer, ...], bool]:
        """Return who seals (the first) and who may still open, and whether they verify anything."""
        if settings.credential is None and not self._sharing.keys:
            return self._by_name, False
        return self._sharing.sealers(settings), True

    def _names(self) -> Iterator[str]:
        """Return where the entry lies, and where it lay under older store keys."""
        return (naming.name(_PURPOSE, self._key) for naming in self._by_name)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Keep others, here and in other processes, from counting on from the same record."""
        until = time.monotonic() + TURN
        lease = None
        try:
            _one_at_a_time.acquire(timeout=TURN)
            name = f"{next(self._names())}.turn"
            while (lease := self._store.lease(name)) is None and time.monotonic() < until:
                time.sleep(random.uniform(0.002, 0.01))  # noqa: S311  (not a secret)
            yield
        finally:
            if lease is not None:
                lease.release()
            with suppress(RuntimeError):  # it is not ours
                _one_at_a_time.release()

    def forget(self) -> None:
        """Remove the entry."""
        for name in self._names():
            self._store.delete(name)


def _reset_after_fork() -> None:
    global _one_at_a_time  # noqa: PLW0603  (the inherited lock may be held by a thread that is gone)
    _one_at_a_time = threading.RLock()


os.register_at_fork(after_in_child=_reset_after_fork)


def _own_record(sealers: Sequence[Sealer], name: str, data: bytes) -> LastUse | None:
    """Return what this process has written itself."""
    own = (own_records.known(candidate, name, data) for candidate in sealers)
    return next((record for record in own if isinstance(record, LastUse)), None)


def _after(status: Status, token: AccessToken | None, error: OAuthError | None, now: float) -> Status:
    if token is not None:
        return Status.authorized(token)
    if error is None or not concerns_others(error):
        return status
    return replace(
        status,
        refused_at=now,
        error=error.for_connection(""),
        permanent=not error.retryable,
        refused_until=now,
    )
