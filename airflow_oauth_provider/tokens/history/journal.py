"""The history of one connection in the store.

Rules:

* Who uses a connection appends, and reads nothing. Who displays its history takes what was appended,
  under a lease, and merges it into the one entry.
* Everything is sealed. With ``store_key`` under that, so that the history goes on when a secret is
  rotated; else under the client's credential, so that with another credential it begins anew. Client id
  and server are part of the name: another client's history under the same connection id is another one.
* A client without a credential, in a deployment without ``store_key``, has its history in its own
  process.
* What does not open, or is not what was written, is skipped.
* What was merged is dropped afterwards. A merge that was interrupted in between is known by its digest,
  and not done twice.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.history.counts import HistoryError
from airflow_oauth_provider.tokens.history.delta import Delta
from airflow_oauth_provider.tokens.history.strip import Strip
from airflow_oauth_provider.tokens.history.timeline import Timeline, strip_of
from airflow_oauth_provider.tokens.sealing import Sealer, sealer
from airflow_oauth_provider.tokens.sharing import Sharing

_PURPOSE = "history"
_DAY = 86_400.0
_ROUNDS = 4
"""What was appended may lie in several places."""


class Journal:
    """Appends to the history of one connection, and reads it.

    :param conn_id: Airflow connection id.
    :param settings: of the connection itself, whatever a single use asks for.
    """

    def __init__(self, conn_id: str, settings: ClientSettings, sharing: Sharing) -> None:
        self._store = sharing.store_for(settings)
        self._days = sharing.history_days
        subject = f"{conn_id}\0{settings.client_id}\0{settings.server}"
        own = Secret(f"{_PURPOSE}\0{subject}")
        self._sealers: tuple[Sealer, ...] = (
            tuple(sealer(own, key) for key in sharing.keys) if sharing.keys else sharing.sealers(settings)
        )
        self._names = tuple(one.name(_PURPOSE, subject) for one in self._sealers)

    def append(self, deltas: Iterable[Delta]) -> bool:
        """Append deltas, in one operation that reads nothing.

        :return: false when they were not kept.
        """
        newest, name = self._sealers[0], self._names[0]
        sealed = [newest.seal(_of_delta(name), delta.dump()) for delta in deltas]
        return self._store.append(name, sealed, until=self._until())

    def timeline(self) -> Timeline:
        """Return the history; what was appended is merged first, unless somebody else is just doing that."""
        if self._has_appended():
            lease = self._store.lease(f"{self._names[0]}.{_PURPOSE}")
            if lease is not None:
                try:
                    return self._merged()
                finally:
                    lease.release()
        return self._read() or Timeline()

    def strip(self, *, merge: bool) -> Strip | None:
        """Return the last day in half hours; ``None`` where nothing is known.

        :param merge: what was appended first.
        """
        if merge and self._has_appended():
            timeline = self.timeline()
            return timeline.strip(time.time()) if timeline.used else None
        content = self._content(0)
        if content is None:
            return None
        try:
            return strip_of(content)
        except HistoryError:
            return None

    def clear(self) -> None:
        """Remove it all."""
        for name in self._names:
            self._store.delete(name)
            for _ in range(_ROUNDS):
                if self._store.take_appended(name) is not None:
                    self._store.drop_taken(name)

    def _has_appended(self) -> bool:
        return any(map(self._store.has_appended, self._names))

    def _merged(self) -> Timeline:
        timeline = self._read() or Timeline()
        for index, name in enumerate(self._names):
            for _ in range(_ROUNDS):
                batch = self._store.take_appended(name)
                if batch is None:
                    break
                self._merge(timeline, batch, index)
                self._store.drop_taken(name)
        return timeline

    def _merge(self, timeline: Timeline, batch: Sequence[bytes], index: int) -> None:
        digest = hashlib.sha256(b"".join(batch)).digest()[: len(timeline.last_batch)]
        if digest == timeline.last_batch:
            return
        now = time.time()
        timeline.merge(self._opened(batch, index), now=now, days=self._days)
        timeline.last_batch = digest
        name = self._names[0]
        self._store.write(name, self._sealers[0].seal(name, timeline.dump(now)), until=self._until())

    def _opened(self, batch: Iterable[bytes], index: int) -> Iterator[Delta]:
        one, name = self._sealers[index], _of_delta(self._names[index])
        for data in batch:
            content = one.open(name, data)
            if content is not None:
                with suppress(HistoryError):
                    yield Delta.load(content)

    def _read(self) -> Timeline | None:
        """Return what was merged: under the newest key, else as an older one left it."""
        for index in range(len(self._names)):
            content = self._content(index)
            if content is not None:
                with suppress(HistoryError):
                    return Timeline.load(content)
        return None

    def _content(self, index: int) -> bytes | None:
        name = self._names[index]
        data = self._store.read(name)
        return None if data is None else self._sealers[index].open(name, data)

    def _until(self) -> float:
        return time.time() + self._days * _DAY


def _of_delta(name: str) -> str:
    """Return what a delta is sealed for: not the entry's own name, so that none stands for the other."""
    return f"{name}.delta"
