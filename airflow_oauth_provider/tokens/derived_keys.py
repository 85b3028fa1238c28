"""Keys of the tokens that single uses of a connection ask for with parameters of their own.

Rules:

* Who is about to ask for such a token appends its key, in one operation that reads nothing. So processes that
  ask at the same time lose none of each other's, and one that is killed leaves no token whose key is unknown.
* The keys lie under the credential, whatever else the connection says: a token outlives an edit of that, and
  so does its key.
* Who forgets takes what was appended, one at a time, and drops it once the tokens are gone: one that is
  interrupted in between is repeated by the next.
* What does not open, or is no key, is skipped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

from airflow_oauth_provider.tokens.entries import STATUS, STATUS_KEPT, TOKEN
from airflow_oauth_provider.tokens.sealed_entries import SealedEntries, refusals
from airflow_oauth_provider.tokens.sealing import Sealer
from airflow_oauth_provider.tokens.stores.base import Lease, NoLease, Store
from airflow_oauth_provider.tokens.stores.choice import memory

MAX_DERIVED = 64
"""Keys of one batch that count: the latest."""
TURN = 1.0
"""Seconds that one who forgets waits for another at the most."""
_PURPOSE = "derived"
_BATCHES = 4
"""What was appended may lie in several places."""
_GLANCE = 0.02
_KEY = re.compile(rb"[0-9a-f]{64}\Z")


class DerivedKeys(SealedEntries):
    """The keys of the tokens that one credential has been used for."""

    def remember(self, key: str) -> None:
        """Append the key of a token that is about to be asked for; in this process where the store fails."""
        newest, until = self._sealers[0], time.time() + STATUS_KEPT
        name = self._name(newest)
        item = newest.seal(_of_key(name), key.encode())
        if not self._store.append(name, (item,), until=until):
            memory.append(name, (item,), until=until)

    def forget(self) -> tuple[str, ...]:
        """Remove the tokens, and what is known of them; return their keys."""
        lease = self._turn()
        try:
            return tuple(dict.fromkeys(self._forgotten()))
        finally:
            lease.release()

    def _forgotten(self) -> Iterator[str]:
        for sealer in self._sealers:
            name = self._name(sealer)
            for store in dict.fromkeys((self._store, memory)):
                for batch in _batches(store, name):
                    for key in _latest_keys(batch, sealer, _of_key(name)):
                        self._remove(key)
                        yield key
                    store.drop_taken(name)

    def _remove(self, key: str) -> None:
        for store in (self._store, refusals):
            self._delete(TOKEN, key, store)
            self._delete(STATUS, key, store)

    def _turn(self) -> Lease:
        """Return the lease of one who forgets; none where another does not let go of it."""
        ends_at = time.monotonic() + TURN
        while time.monotonic() < ends_at:
            lease = self._lease(_PURPOSE, self._credential_key)
            if lease is not None:
                return lease
            time.sleep(_GLANCE)
        return NoLease()

    def _name(self, sealer: Sealer) -> str:
        return sealer.name(_PURPOSE, self._credential_key)


def _batches(store: Store, name: str) -> Iterator[tuple[bytes, ...]]:
    for _ in range(_BATCHES):
        batch = store.take_appended(name)
        if batch is None:
            return
        yield batch


def _latest_keys(batch: Iterable[bytes], sealer: Sealer, name: str) -> Iterable[str]:
    """Return the keys of a batch that were appended last, each once."""
    keys: dict[str, None] = {}
    for item in reversed(tuple(batch)):
        content = sealer.open(name, item)
        if content is not None and _KEY.match(content):
            keys[content.decode()] = None
        if len(keys) == MAX_DERIVED:
            break
    return keys


def _of_key(name: str) -> str:
    """Return what a key is sealed for: no entry's name, so that none stands for the other."""
    return f"{name}.key"
