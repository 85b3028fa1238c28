"""What a connection was last used with: for displays only.

A token is found by the fingerprint of its settings, so nothing in the store tells which connection
has been edited. This index does: (team, connection id) → fingerprint and outcome. The fingerprint
here is another one than a token's and opens nothing. Entries are sealed under the name they are
about, and ``store_key`` where there is one: they hold no secret, only what a page shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.sealing import Sealer, sealer
from airflow_oauth_provider.tokens.sharing import Sharing

KEPT = 30 * 86_400.0
"""Seconds for which the index remembers a connection that nobody uses."""
TURN = 0.5
"""Seconds a note waits for its turn at the most; then a count may be lost, and nothing else."""
_PURPOSE = "display"
_one_at_a_time = threading.Lock()


def display_fingerprint(settings: ClientSettings) -> str:
    """Return what changes when the settings do; of no use for finding a token."""
    return hashlib.sha256(f"{_PURPOSE}\0{token_key(settings)}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Noted:
    """The last use of a connection.

    :param fingerprint: of the settings it had then.
    :param at: when (seconds since the epoch).
    :param status: what came of it.
    :param requests: token requests made for this connection since *since*, *refusals* those that
        brought no token.
    :param hits: tokens that were served without one, as far as processes have told that made requests.
    """

    fingerprint: str
    at: float
    status: Status
    requests: int = 0
    refusals: int = 0
    hits: int = 0
    since: float = 0.0

    def dump(self) -> bytes:
        """Write it."""
        content = {**vars(self), "status": self.status.dump().decode()}
        return json.dumps(content).encode()

    @classmethod
    def load(cls, data: bytes) -> Noted | None:
        """Read it; ``None`` for what another version of this package wrote differently."""
        try:
            content: dict[str, Any] = json.loads(data)
            status = Status.load(content.pop("status").encode())
            return cls(**content, status=status) if status else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


class DisplayIndex:
    """The entry of one connection.

    :param team: that owns it, where Airflow tells; tasks are not told.
    """

    def __init__(self, sharing: Sharing, conn_id: str, team: str | None = None) -> None:
        self._store = sharing.store
        self._key = f"{team or ''}\0{conn_id}"
        self._sealers: tuple[Sealer, ...] = tuple(
            sealer(Secret(self._key), key) for key in (sharing.keys or (None,))
        )

    def read(self) -> Noted | None:
        """Return the last use, if there was one."""
        for each in self._sealers:
            name = each.name(_PURPOSE, self._key)
            data = self._store.read(name)
            content = each.open(name, data) if data else None
            if content is not None:
                return Noted.load(content)
        return None

    def note(
        self,
        fingerprint: str,
        *,
        token: AccessToken | None = None,
        error: OAuthError | None = None,
        requests: int = 0,
        hits: int = 0,
    ) -> bool:
        """Note a use: the *token* it brought, or the *error* it ended with.

        :param requests: made for it; 0 where the token or error was there already, which is worth a
            note only if the connection was last seen with other settings.
        :param hits: tokens served without a request since the last note.
        :return: whether it was worth one.
        """
        if not requests and self._says(fingerprint, self.read()):
            return False  # what nearly every task finds, and waits for nobody
        with self._turn():
            return self._note(fingerprint, token, error, requests, hits)

    def _note(
        self, fingerprint: str, token: AccessToken | None, error: OAuthError | None, requests: int, hits: int
    ) -> bool:
        now, before = time.time(), self.read()
        same = self._says(fingerprint, before)
        if same and not requests:
            return False
        status = before.status if before and same else Status()
        counted = before or Noted("", now, status, since=now)
        noted = replace(
            counted,
            fingerprint=fingerprint,
            at=now,
            status=_after(status, token, error, now),
            requests=counted.requests + requests,
            # The last one brought the token; those before it were refused, or not answered.
            refusals=counted.refusals + (requests if error else max(0, requests - 1)),
            hits=counted.hits + hits,
        )
        newest = self._sealers[0]
        name = newest.name(_PURPOSE, self._key)
        self._store.write(name, newest.seal(name, noted.dump()), until=now + KEPT)
        return True

    def _says(self, fingerprint: str, noted: Noted | None) -> bool:
        return noted is not None and noted.fingerprint == fingerprint

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Keep others, here and in other processes, from counting on from the same note."""
        until = time.monotonic() + TURN
        locked = _one_at_a_time.acquire(timeout=TURN)
        lease = None
        try:
            name = f"{self._sealers[0].name(_PURPOSE, self._key)}.turn"
            while (lease := self._store.lease(name)) is None and time.monotonic() < until:
                time.sleep(random.uniform(0.002, 0.01))  # noqa: S311  (not a secret)
            yield
        finally:
            if lease is not None:
                lease.release()
            if locked:
                _one_at_a_time.release()

    def forget(self) -> None:
        """Remove the entry."""
        for each in self._sealers:
            self._store.delete(each.name(_PURPOSE, self._key))


def _reset_after_fork() -> None:
    global _one_at_a_time  # noqa: PLW0603  (the inherited lock may be held by a thread that is gone)
    _one_at_a_time = threading.Lock()


os.register_at_fork(after_in_child=_reset_after_fork)


def _after(status: Status, token: AccessToken | None, error: OAuthError | None, now: float) -> Status:
    if token is not None:
        return Status(
            authorized_at=token.issued_at,
            expires_at=token.expires_at,
            scopes=tuple(sorted(token.scopes)),
            scopes_stated=token.scopes_stated,
        )
    if error is None:
        return status
    return replace(
        status,
        refused_at=now,
        error=error.for_connection(""),
        permanent=not error.retryable,
        refused_until=now,
    )
