"""What is not asked again for a while: refused credentials, and servers that want a rest.

A wrong secret shall cost one request a minute, not one per task and retry: many servers lock an
account after a few.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError, TransportError
from airflow_oauth_provider.protocol.fingerprint import credential_key, token_key
from airflow_oauth_provider.protocol.retry import cool_down
from airflow_oauth_provider.protocol.settings import ClientSettings

REMEMBERED = 60.0
_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
_CAPACITY = 1024


@dataclass(frozen=True)
class _Record:
    error: OAuthError
    until: float
    permanent: bool


class Refusals:
    """The records of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def remember(self, settings: ClientSettings, error: Exception) -> None:
        """Keep the outcome of an acquisition that gave up, if it concerns the next caller."""
        if not isinstance(error, TokenEndpointError | TransportError):
            return
        error = error.for_connection("")  # a copy, which keeps no traceback and no frames alive
        now = time.monotonic()
        if isinstance(error, TokenEndpointError) and error.error and not error.retryable:
            by_client = error.error in _CLIENT_ERRORS
            key = credential_key(settings) if by_client else token_key(settings)
            self._put(key, _Record(error, now + REMEMBERED, permanent=True))
            return
        status = error.status if isinstance(error, TokenEndpointError) else None
        seconds = cool_down(status, error.retry_after)
        if seconds > 0:
            self._put(token_key(settings), _Record(error, now + seconds, permanent=False))

    def forget(self, settings: ClientSettings) -> None:
        """Drop what is known: a token was granted."""
        with self._lock:
            for key in (credential_key(settings), token_key(settings)):
                self._records.pop(key, None)

    def clear(self) -> None:
        """Drop everything, and the lock with it (a forked child may have inherited it locked)."""
        self._lock = threading.Lock()
        self._records = OrderedDict()

    def standing(self, settings: ClientSettings) -> tuple[OAuthError, float] | None:
        """Return the error in force and the seconds until it lapses.

        :return: ``None`` when nothing speaks against asking; seconds are 0 for a permanent
            refusal, which is not worth waiting for.
        """
        now = time.monotonic()
        for key in (credential_key(settings), token_key(settings)):
            record = self._records.get(key)
            if record is not None and record.until > now:
                return record.error, 0.0 if record.permanent else record.until - now
        return None

    def _put(self, key: str, record: _Record) -> None:
        with self._lock:
            self._records[key] = record
            self._records.move_to_end(key)
            while len(self._records) > _CAPACITY:
                self._records.popitem(last=False)
