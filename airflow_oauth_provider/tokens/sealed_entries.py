"""Sealed entries of one client in a store, by purpose and key.

Everything is sealed under the client's own credential, records like tokens. What was opened once, or what
this process has written itself, is not opened again while it lies there unchanged.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import client_key, credential_key, token_key
from airflow_oauth_provider.tokens import own_records
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.sealing import Sealer
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Lease, Store
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from airflow_oauth_provider.transport.assertion_files import read_assertion

refusals = MemoryStore()
"""Sealed copies of what was refused, for a store that loses them."""
NO_STATUS = Status()

Loaded = TypeVar("Loaded")


class SealedEntries:
    """Seals what one client keeps in a store, and opens what it finds there.

    :param settings: of the client.
    """

    def __init__(self, settings: ClientSettings, sharing: Sharing) -> None:
        self._store = sharing.store_for(settings)
        self._sealers = sharing.sealers(settings)
        self._token_key = token_key(settings)
        self._credential_key = credential_key(settings)
        self._presented_key = client_key(settings)
        self._assertion_file = settings.assertion_file
        self._sent: Secret | None = None
        # A search reads the same entries several times, and most of them have not changed meanwhile.
        self._opened: dict[str, tuple[bytes, bytes | None]] = {}
        self._loaded: dict[bytes, Any] = {}

    @property
    def kind(self) -> str:
        """Kind of the store."""
        return self._store.kind

    def note_assertion(self, assertion: Secret) -> None:
        """Note which assertion is about to be sent: what comes of it is remembered of that one."""
        self._sent = assertion

    @property
    def _client_key(self) -> str:
        """Key of what is remembered of the client itself.

        An assertion of a file is a client of its own: once it is refused, it is not sent again until the file
        changes, and nothing stands against the next one.
        """
        if self._assertion_file is None:
            return self._presented_key
        sent = self._sent or read_assertion(self._assertion_file)
        text = sent.reveal() if isinstance(sent, Secret) else ""
        return f"{self._presented_key} {hashlib.sha256(text.encode()).hexdigest()}"

    def _of_client(self, purpose: str, load: Callable[[bytes], Status | None] = Status.load) -> Status:
        """Return the newest of what is known of the client itself."""
        status = self._newest(purpose, self._client_key, load)
        if self._assertion_file is not None and status.permanent:
            return replace(status, refused_until=math.inf, in_a_row=0)
        return status

    def _read(self, purpose: str, key: str, store: Store | None = None) -> bytes | None:
        """Return the content of an entry."""
        for sealer, name, data in self._lying(purpose, key, store):
            content = self._open(sealer, name, data)
            if content is not None:
                return content
        return None

    def _record(
        self, purpose: str, key: str, load: Callable[[bytes], Loaded | None], store: Store | None = None
    ) -> Loaded | None:
        """Return what an entry says, by the function that reads its content."""
        for sealer, name, data in self._lying(purpose, key, store):
            own: Loaded | None = own_records.known(sealer, name, data)
            if own is not None:
                return own
            content = self._open(sealer, name, data)
            if content is not None:
                return self._load(load, content)
        return None

    def _lying(self, purpose: str, key: str, store: Store | None) -> Iterator[tuple[Sealer, str, bytes]]:
        """Yield what lies in the store under any of the keys, as it was sealed."""
        for sealer in self._sealers:
            name = sealer.name(purpose, key)
            data = (store or self._store).read(name)
            if data is not None:
                yield sealer, name, data

    def _open(self, sealer: Sealer, name: str, data: bytes) -> bytes | None:
        opened = self._opened.get(name)
        if opened is not None and opened[0] == data:
            return opened[1]
        content = sealer.open(name, data)
        self._opened[name] = data, content
        return content

    def _load(self, load: Callable[[bytes], Loaded | None], content: bytes) -> Loaded | None:
        known: Loaded | None = self._loaded.get(content)
        if known is None:
            known = load(content)
            if not isinstance(known, Status) or known.error is None:  # an error is raised, and then changed
                self._loaded[content] = known
        return known

    def _newest(self, purpose: str, key: str, load: Callable[[bytes], Status | None] = Status.load) -> Status:
        """Return the newest of what store and memory know."""
        stored = self._record(purpose, key, load)
        remembered = self._record(purpose, key, load, refusals)
        if stored is None or remembered is None:
            return stored or remembered or NO_STATUS
        return max(stored, remembered, key=_latest)

    def _write(
        self,
        purpose: str,
        key: str,
        content: bytes,
        *,
        until: float,
        store: Store | None = None,
        record: object = None,
    ) -> None:
        """Seal an entry.

        :param record: what reading it again would give; ``None`` where that is not sure.
        """
        newest = self._sealers[0]
        name = newest.name(purpose, key)
        data = newest.seal(name, content)
        (store or self._store).write(name, data, until=until)
        if record is not None:
            own_records.keep(newest, name, data, record)

    def _delete(self, purpose: str, key: str, store: Store | None = None) -> None:
        for sealer in self._sealers:
            name = sealer.name(purpose, key)
            (store or self._store).delete(name)
            own_records.drop(sealer, name)

    def _lease(self, purpose: str, key: str, number: int = 0) -> Lease | None:
        name = self._sealers[0].name(purpose, key)
        return self._store.lease(f"{name}.{number}" if number else name)


def _latest(status: Status) -> float:
    return max(status.refused_at or 0.0, status.authorized_at or 0.0)
