"""What is shared about one client: its token, its last outcome, and the refusal of its credential.

A wrong secret shall cost one request a minute, not one per task and retry: many servers lock an
account after a few. Everything is sealed, records like tokens.
"""

from __future__ import annotations

import time
from dataclasses import replace

from airflow_oauth_provider.exceptions import (
    InsufficientScopeError,
    OAuthError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE, AccessToken, TokenState
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import credential_key, token_key
from airflow_oauth_provider.protocol.token.retry import cool_down
from airflow_oauth_provider.tokens.records import Status, dump_token, load_token
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Lease

REMEMBERED = 60.0
"""Seconds for which a permanent refusal is not asked about again."""
DISABLED_AFTER = 5
"""Refusals of the client itself in a row that disable it."""
PROBE_INTERVAL = 900.0
"""Seconds after which even a disabled client is tried once: a mended server needs no human."""
STATUS_KEPT = 7 * 86_400.0
_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
_USABLE = frozenset({TokenState.FRESH, TokenState.ADVISORY})


class Entries:
    """The entries of one client's settings."""

    def __init__(self, settings: ClientSettings, sharing: Sharing) -> None:
        self._store = sharing.store_for(settings)
        self._sealers = sharing.sealers(settings)
        self._token_key = token_key(settings)
        self._credential_key = credential_key(settings)

    @property
    def kind(self) -> str:
        """Kind of the store."""
        return self._store.kind

    def token(self) -> AccessToken | None:
        """Return the shared token if it may be used now."""
        data = self._read("token", self._token_key)
        token = load_token(data) if data else None
        return token if token and token.state(time.time()) in _USABLE else None

    def drop_token(self, refused: AccessToken) -> None:
        """Remove *refused*; a newer token stays."""
        held = self.token()
        if held is not None and held.value == refused.value:
            self._delete("token", self._token_key)

    def status(self) -> Status:
        """Return the last outcome."""
        data = self._read("status", self._token_key)
        return (Status.load(data) if data else None) or Status()

    def client_status(self) -> Status:
        """Return the refusal of the client itself that is in force, whichever scope it was met with."""
        data = self._read("client", self._credential_key)
        return (Status.load(data) if data else None) or Status()

    def granted(self, token: AccessToken) -> None:
        """Share a token that was just granted, and forget what was refused before."""
        held = self.token()
        if token.state(time.time()) in _USABLE and (held is None or held.issued_at <= token.issued_at):
            self._write("token", self._token_key, dump_token(token), until=token.expires_at)
        scopes = tuple(sorted(token.scopes))
        self._put_status(
            Status(
                authorized_at=token.issued_at,
                expires_at=token.expires_at,
                scopes=scopes,
                scopes_stated=token.scopes_stated,
                early_at=self.status().early_at,
            )
        )
        self._delete("client", self._credential_key)

    def refused(self, error: OAuthError, *, budget: float) -> None:
        """Share the error of an acquisition that gave up.

        :param budget: seconds it had at most.
        """
        now, before = time.time(), self.status()
        code = error.error if isinstance(error, TokenEndpointError) and not error.retryable else None
        in_a_row = before.in_a_row + (code in _CLIENT_ERRORS)
        # A server that grants less than require_scopes wants will do so again.
        permanent = code is not None or isinstance(error, InsufficientScopeError)
        refused = replace(
            before,
            refused_at=now,
            error=error.for_connection(""),
            permanent=permanent,
            refused_until=now + (_remembered(code, in_a_row) if permanent else _rest(error)),
            in_a_row=in_a_row,
            budget=budget,
        )
        self._put_status(refused)
        if code in _CLIENT_ERRORS:
            # Whatever the scope or audience: it is the credential that is refused.
            of_client = replace(refused, refused_until=now + REMEMBERED)
            self._write("client", self._credential_key, of_client.dump(), until=of_client.refused_until)

    def mark_early(self) -> None:
        """Note that somebody renews the token before its time."""
        self._put_status(replace(self.status(), early_at=time.time()))

    def standing(self) -> tuple[OAuthError, float] | None:
        """Return the error in force and the seconds until it lapses.

        :return: ``None`` when nothing speaks against asking; seconds are 0 for a permanent
            refusal, which is not worth waiting for.
        """
        for status in (self.client_status(), self.status()):
            if status.error is None or status.refused_at is None:
                continue
            now = time.time()
            # A record from the future was written by a clock that was wrong.
            if now < status.refused_until and status.refused_at - now <= CLOCK_TOLERANCE:
                return _in_force(status, now)
        return None

    def lease(self, number: int) -> Lease | None:
        """Take the right to ask.

        :param number: of the lease; a second one is taken over from a holder that does not deliver.
        """
        name = self._sealers[0].name("lease", self._token_key)
        return self._store.lease(f"{name}.{number}" if number else name)

    def forget(self) -> None:
        """Remove the token and what is known of it."""
        for purpose, key in (
            ("token", self._token_key),
            ("status", self._token_key),
            ("client", self._credential_key),
        ):
            self._delete(purpose, key)

    def _read(self, purpose: str, key: str) -> bytes | None:
        for sealer in self._sealers:
            name = sealer.name(purpose, key)
            data = self._store.read(name)
            content = sealer.open(name, data) if data else None
            if content is not None:
                return content
        return None

    def _write(self, purpose: str, key: str, content: bytes, *, until: float) -> None:
        newest = self._sealers[0]
        name = newest.name(purpose, key)
        self._store.write(name, newest.seal(name, content), until=until)

    def _delete(self, purpose: str, key: str) -> None:
        for sealer in self._sealers:
            self._store.delete(sealer.name(purpose, key))

    def _put_status(self, status: Status) -> None:
        self._write("status", self._token_key, status.dump(), until=time.time() + STATUS_KEPT)


def _remembered(code: str | None, in_a_row: int) -> float:
    """Seconds for which a permanent refusal is not asked about again."""
    return PROBE_INTERVAL if code in _CLIENT_ERRORS and in_a_row >= DISABLED_AFTER else REMEMBERED


def _rest(error: OAuthError) -> float:
    """Seconds of rest for a server that could not answer."""
    if isinstance(error, TokenEndpointError):
        return cool_down(error.status, error.retry_after)
    return cool_down(None, error.retry_after if isinstance(error, TransportError) else None)


def _in_force(status: Status, now: float) -> tuple[OAuthError, float]:
    seconds = status.refused_until - now
    error: OAuthError = (status.error or OAuthError("refused")).for_connection("")
    if status.permanent:
        if status.in_a_row >= DISABLED_AFTER:
            error.message = (
                f"disabled after {status.in_a_row} refusals in a row, until its settings change or someone "
                f"authorizes it (one try in {max(1, round(seconds / 60))} min): {error.message}"
            )
        return error, 0.0
    if isinstance(error, TokenEndpointError | TransportError):
        error.retry_after = seconds
    return error, seconds
