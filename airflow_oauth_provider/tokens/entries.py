"""What is shared about one client: its token, its last outcome, and what has been refused.

A wrong secret shall cost one request a minute, not one per task and retry: many servers lock an
account after a few. Everything is sealed, records like tokens. Refusals count in this process's memory
too, since a store may lose them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from airflow_oauth_provider.exceptions import (
    InsufficientScopeError,
    OAuthError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE, AccessToken, TokenState
from airflow_oauth_provider.protocol.settings import ClientSettings, Issuer
from airflow_oauth_provider.protocol.token.key import credential_key, token_key
from airflow_oauth_provider.protocol.token.metadata import KEPT, KnownMetadata
from airflow_oauth_provider.protocol.token.retry import cool_down
from airflow_oauth_provider.protocol.urls import Origin
from airflow_oauth_provider.tokens.cached_token import token_digest
from airflow_oauth_provider.tokens.held_token import HeldToken
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Lease, Store
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore

REMEMBERED = 60.0
"""Seconds for which a permanent refusal is not asked about again."""
DISABLED_AFTER = 5
"""Refusals of the client itself in a row that disable it."""
PROBE_INTERVAL = 900.0
"""Seconds after which even a disabled client is tried once: a mended server needs no human."""
STATUS_KEPT = 7 * 86_400.0
TOKEN, STATUS, CLIENT, BAD_TOKEN, METADATA = "token", "status", "client", "bad-token", "metadata"
"""Purposes of entries."""
refusals = MemoryStore()
"""Sealed copies of what was refused, for a store that loses them."""
_NO_STATUS = Status()
_BARE_REFUSALS = frozenset({400, 401, 403})
_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
_USABLE = frozenset({TokenState.FRESH, TokenState.ADVISORY})


Loaded = TypeVar("Loaded")


class Entries:
    """The entries of one client's settings."""

    def __init__(self, settings: ClientSettings, sharing: Sharing) -> None:
        self._store = sharing.store_for(settings)
        self._sealers = sharing.sealers(settings)
        self._token_key = token_key(settings)
        self._credential_key = credential_key(settings)
        # A search looks at the same entries several times, and most of them have not changed meanwhile.
        self._opened: dict[str, tuple[bytes, bytes]] = {}
        self._loaded: dict[bytes, Any] = {}

    @property
    def kind(self) -> str:
        """Kind of the store."""
        return self._store.kind

    def token(self) -> AccessToken | None:
        """Return the shared token if it may be used now."""
        held = self._load(HeldToken.load, self._read(TOKEN, self._token_key))
        return held.token if held and held.token.state(time.time()) in _USABLE else None

    def drop_token(self, refused: AccessToken) -> None:
        """Remove *refused*; a newer token stays, also one that comes while this looks."""
        for sealer in self._sealers:
            name = sealer.name(TOKEN, self._token_key)
            data = self._store.read(name)
            content = sealer.open(name, data) if data else None
            held = HeldToken.load(content) if content else None
            if data is not None and held is not None and held.token.value == refused.value:
                self._store.delete_if(name, data)

    def status(self) -> Status:
        """Return the last outcome."""
        key = self._token_key
        known = [self._status(self._read(STATUS, key)), self._status(self._read(STATUS, key, refusals))]
        return max(known, key=lambda status: max(status.refused_at or 0.0, status.authorized_at or 0.0))

    def client_status(self) -> Status:
        """Return the refusal of the client itself that is in force, whichever scope it was met with."""
        key = self._credential_key
        return self._status(self._read(CLIENT, key) or self._read(CLIENT, key, refusals))

    def granted(self, token: AccessToken) -> None:
        """Share a token that was just granted, and forget what was refused before."""
        now, held = time.time(), self.token()
        # One that seems to come from the future was issued by a clock that has been set back since.
        newer = held is not None and token.issued_at < held.issued_at <= now
        if token.state(now) in _USABLE and not newer:
            self._write(TOKEN, self._token_key, HeldToken(token).dump(), until=token.expires_at)
        before = self.status()
        self._put_status(
            Status(
                authorized_at=token.issued_at,
                expires_at=token.expires_at,
                scopes=tuple(sorted(token.scopes)),
                scopes_stated=token.scopes_stated,
                early_at=before.early_at,
            )
        )
        if before.error is not None or self._read(CLIENT, self._credential_key, refusals):
            self._delete(STATUS, self._token_key, refusals)
            self._delete(CLIENT, self._credential_key, refusals)
        self._delete(CLIENT, self._credential_key)

    def refused(self, error: OAuthError, *, budget: float) -> None:
        """Share the error of an acquisition that gave up.

        :param budget: seconds it had at most.
        """
        now, before = time.time(), self.status()
        code = error.error if isinstance(error, TokenEndpointError) and not error.retryable else None
        in_a_row = before.in_a_row + (code in _CLIENT_ERRORS)
        permanent = code is not None or _is_final(error)
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
        self._write(STATUS, self._token_key, refused.dump(), until=refused.refused_until, store=refusals)
        if code in _CLIENT_ERRORS:
            # Whatever the scope or audience: it is the credential that is refused.
            of_client = replace(refused, refused_until=now + REMEMBERED)
            for store in (self._store, refusals):
                content, until = of_client.dump(), of_client.refused_until
                self._write(CLIENT, self._credential_key, content, until=until, store=store)

    def mark_early(self) -> None:
        """Note that somebody renews the token before its time."""
        self._put_status(replace(self.status(), early_at=time.time()))

    def standing(self) -> tuple[OAuthError, float] | None:
        """Return the error in force and the seconds until it lapses.

        :return: ``None`` when nothing speaks against asking; seconds are 0 for a permanent
            refusal, which is not worth waiting for.
        """
        last = self.status()
        for status in (self.client_status(), last):
            if status.error is None or status.refused_at is None:
                continue
            if (last.authorized_at or 0.0) > status.refused_at:
                continue  # somebody has been granted a token since
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

    def remember_bad_token(self, token: AccessToken, origin: Origin) -> None:
        """Remember for a minute that an API refuses a token that was only just granted.

        It will refuse the next one too: its audience is wrong, or the API's keys are.
        """
        purpose, until = f"{BAD_TOKEN} {origin}", time.time() + REMEMBERED
        content = json.dumps({"digest": token_digest(token), "until": until}).encode()
        for store in (self._store, refusals):
            self._write(purpose, self._token_key, content, until=until, store=store)

    def is_bad_token(self, token: AccessToken, origin: Origin) -> bool:
        """Whether this API has refused just this token within the last minute, right after it was granted."""
        purpose, now = f"{BAD_TOKEN} {origin}", time.time()
        for store in (self._store, refusals):
            digest, until = _bad_token(self._read(purpose, self._token_key, store))
            if digest == token_digest(token) and now < until <= now + REMEMBERED:
                return True
        return False

    def metadata(self, server: Issuer) -> KnownMetadata | None:
        """Return the issuer's metadata, if anybody of this client has fetched it."""
        content = self._read(METADATA, self._credential_key)
        return KnownMetadata.load(content, server.identifier, server.allowed_hosts) if content else None

    def remember_metadata(self, metadata: KnownMetadata) -> None:
        """Keep metadata that was just fetched."""
        until = metadata.fetched_at + KEPT
        self._write(METADATA, self._credential_key, metadata.dump(), until=until)

    def forget(self) -> None:
        """Remove the token and what is known of it."""
        for store in (self._store, refusals):
            self._delete(TOKEN, self._token_key, store)
            self._delete(STATUS, self._token_key, store)
            self._delete(CLIENT, self._credential_key, store)
        self._delete(METADATA, self._credential_key)

    def _read(self, purpose: str, key: str, store: Store | None = None) -> bytes | None:
        for sealer in self._sealers:
            name = sealer.name(purpose, key)
            data = (store or self._store).read(name)
            if data is None:
                continue
            opened = self._opened.get(name)
            if opened is not None and opened[0] == data:
                return opened[1]
            content = sealer.open(name, data)
            if content is not None:
                self._opened[name] = data, content
                return content
        return None

    def _load(self, load: Callable[[bytes], Loaded | None], content: bytes | None) -> Loaded | None:
        if content is None:
            return None
        known: Loaded | None = self._loaded.get(content)
        if known is None:
            known = load(content)
            if not isinstance(known, Status) or known.error is None:  # an error is raised, and then changed
                self._loaded[content] = known
        return known

    def _status(self, content: bytes | None) -> Status:
        return self._load(Status.load, content) or _NO_STATUS

    def _write(
        self, purpose: str, key: str, content: bytes, *, until: float, store: Store | None = None
    ) -> None:
        newest = self._sealers[0]
        name = newest.name(purpose, key)
        (store or self._store).write(name, newest.seal(name, content), until=until)

    def _delete(self, purpose: str, key: str, store: Store | None = None) -> None:
        for sealer in self._sealers:
            (store or self._store).delete(sealer.name(purpose, key))

    def _put_status(self, status: Status) -> None:
        self._write(STATUS, self._token_key, status.dump(), until=time.time() + STATUS_KEPT)


def _bad_token(content: bytes | None) -> tuple[str | None, float]:
    """Read the record of a refused token; what comes from a store may be anything."""
    try:
        record = json.loads(content or b"{}")
        return str(record["digest"]), float(record["until"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None, 0.0


def _is_final(error: OAuthError) -> bool:
    """Whether a refusal without an error code is worth remembering for a minute.

    A bare 400, 401 or 403 is what some servers say of a wrong secret; a page comes from something in
    front of them. A server that grants less than require_scopes wants will do so again.
    """
    if isinstance(error, TokenEndpointError):
        return error.error is None and error.status in _BARE_REFUSALS and not error.is_page
    return isinstance(error, InsufficientScopeError)


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
