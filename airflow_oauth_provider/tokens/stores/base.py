"""The interface of a store."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

LEASE = 30.0
"""Seconds after which a lease is lost where the store does not notice that its holder is gone."""
MAX_ENTRY = 96 * 1024
"""Bytes of the largest entry: a token of 64 KiB, sealed."""

MAX_APPENDED = 189
"""Bytes of one appended item, sealed: with what a store puts around it, 256 at the most."""
MOST_APPENDED = 4096
"""Appended items that a store keeps under one name while nobody takes them; the oldest go."""


class Reach(Enum):
    """Who shares what a store holds."""

    PROCESS = "process"
    HOST = "host"
    HOSTS = "hosts"


class StoreError(Exception):
    """The store cannot be used now; says why, in words for the operator of the deployment."""


class Lease(Protocol):
    """The right to be the one who asks."""

    def release(self) -> None:
        """Give it back; never raises."""


class NoLease:
    """The lease of a store that cannot lend any: everybody gets one."""

    def release(self) -> None:
        """Do nothing."""


class Store(Protocol):
    """Bytes by name, for a time, and leases.

    Names are 1 to 64 characters of ``[a-z0-9.-]``, chosen so that they give nothing away.
    """

    kind: str
    """Its name in messages; nothing is decided by it."""
    reach: Reach

    def read(self, name: str) -> bytes | None:
        """Return an entry; ``None`` when there is none.

        :raises StoreError: when the store does not work.
        """

    def write(self, name: str, data: bytes, *, until: float) -> None:
        """Put an entry in the place of the one before, as a whole.

        :param until: seconds since the epoch from which nobody needs it.
        :raises StoreError: when the store does not work.
        """

    def delete(self, name: str) -> None:
        """Remove an entry, if there is one.

        :raises StoreError: when the store does not work.
        """

    def delete_if(self, name: str, data: bytes) -> None:
        """Remove an entry if it still is *data*: one that somebody has put in its place stays.

        :raises StoreError: when the store does not work.
        """

    def lease(self, name: str) -> Lease | None:
        """Take the lease of that name without waiting.

        :return: ``None`` when somebody else holds it.
        :raises StoreError: when the store does not work.
        """

    def append(self, name: str, items: Sequence[bytes], *, until: float) -> bool:
        """Append items of at most ``MAX_APPENDED`` bytes, in one operation that reads nothing.

        :param until: seconds since the epoch from which nobody needs them.
        :return: false when they were not kept.
        :raises StoreError: when the store does not work.
        """

    def has_appended(self, name: str) -> bool:
        """Whether there is anything to take.

        :raises StoreError: when the store does not work.
        """

    def take_appended(self, name: str) -> tuple[bytes, ...] | None:
        """Set apart what was appended, and return it: the oldest first, and perhaps not all at once.

        It is returned again until it is dropped. One at a time may do this: under a lease.

        :return: ``None`` when there is nothing to take now.
        :raises StoreError: when the store does not work.
        """

    def drop_taken(self, name: str) -> None:
        """Remove what was taken.

        :raises StoreError: when the store does not work.
        """
