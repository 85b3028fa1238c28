"""What is shared about one client: its token, its last outcome, and what has been refused.

A wrong secret shall cost one request a minute, not one per task and retry: many servers lock an
account after a few. Everything is sealed, records like tokens. Refusals count in this process's memory
too, since a store may lose them.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.access_token import AccessToken, TokenState
from airflow_oauth_provider.protocol.configured_server import Issuer
from airflow_oauth_provider.protocol.dpop.bound_token import with_key
from airflow_oauth_provider.protocol.private_token import accompanied
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.introspection import INTROSPECTION
from airflow_oauth_provider.protocol.token.metadata import KEPT, KnownMetadata
from airflow_oauth_provider.protocol.token.revocation import REVOCATION
from airflow_oauth_provider.protocol.urls import Origin
from airflow_oauth_provider.tokens import own_records
from airflow_oauth_provider.tokens.cached_token import token_digest
from airflow_oauth_provider.tokens.held_token import HeldToken
from airflow_oauth_provider.tokens.records import Status, concerns_others
from airflow_oauth_provider.tokens.refusal_rules import (
    REMEMBERED,
    final_code,
    is_final,
    refuses_client,
    remembered,
    rest,
    standing,
)
from airflow_oauth_provider.tokens.sealed_entries import SealedEntries, refusals
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Lease

STATUS_KEPT = 7 * 86_400.0
TOKEN, STATUS, CLIENT, BAD_TOKEN, METADATA = "token", "status", "client", "bad-token", "metadata"
"""Purposes of entries."""
_USABLE = frozenset({TokenState.FRESH, TokenState.ADVISORY})


class Entries(SealedEntries):
    """The entries of one client's settings."""

    def __init__(self, settings: ClientSettings, sharing: Sharing) -> None:
        super().__init__(settings, sharing)
        self._proof = settings.proof

    def token(self) -> AccessToken | None:
        """Return the shared token if it may be used now."""
        token = self._record(TOKEN, self._token_key, self._token_in)
        return token if token and token.state(time.time()) in _USABLE else None

    def drop_token(self, refused: AccessToken) -> None:
        """Remove *refused*; a newer token stays, also one that comes while this looks."""
        for sealer in self._sealers:
            name = sealer.name(TOKEN, self._token_key)
            data = self._store.read(name)
            content = sealer.open(name, data) if data else None
            held = HeldToken.load(content) if content else None
            if data is not None and held is not None and held.token.value == refused.value:
                self._store.delete_if(name, data)
                own_records.drop(sealer, name)

    def status(self) -> Status:
        """Return the last outcome."""
        return self._newest(STATUS, self._token_key)

    def client_status(self) -> Status:
        """Return what the server said last of the client itself, whichever scope it was asked for."""
        return self._of_client(CLIENT)

    def granted(self, token: AccessToken) -> None:
        """Share a token that was just granted, and forget what was refused before."""
        now, held = time.time(), self.token()
        # One that seems to come from the future was issued by a clock that has been set back since.
        newer = held is not None and token.issued_at < held.issued_at <= now
        if token.state(now) in _USABLE and not newer:
            alone = token if type(token) is AccessToken else None
            content = HeldToken.of(token).dump()
            self._write(TOKEN, self._token_key, content, until=token.expires_at, record=alone)
        before = self.status()
        self._put_status(Status.authorized(token, early_at=before.early_at))
        client_key = self._client_key
        if before.error is not None or self._read(CLIENT, client_key, refusals):
            self._delete(STATUS, self._token_key, refusals)
            self._delete(CLIENT, client_key, refusals)
        if self._read(CLIENT, client_key) is not None:
            # Not removed: other processes remember the refusal themselves, and look here what came after it.
            accepted = Status(authorized_at=now)
            self._write(CLIENT, client_key, accepted.dump(), until=now + REMEMBERED)

    def revoked(self, token: AccessToken) -> None:
        """Note that a token was taken back: it authorizes nobody any more, nor does an older one."""
        before = self.status()
        if (before.revoked_issue or 0.0) < token.issued_at:
            self._put_status(replace(before, revoked_issue=token.issued_at))

    def refused(self, error: OAuthError, *, budget: float) -> None:
        """Share the error of an acquisition that gave up.

        What is wrong on this machine only (a file that is not there) is nothing to others.

        :param budget: seconds it had at most.
        """
        if not concerns_others(error):
            return
        now, before = time.time(), self.status()
        code = final_code(error)
        by_assertion = self._assertion_file is not None
        of_client = refuses_client(error, by_assertion=by_assertion)
        # Nobody is disabled whose credential changes by itself; its own record says which one is refused.
        in_a_row = before.in_a_row + (of_client and not by_assertion)
        permanent = code is not None or is_final(error)
        seconds = (
            0.0 if of_client and by_assertion else remembered(code, in_a_row) if permanent else rest(error)
        )
        refused = replace(
            before,
            refused_at=now,
            error=error.for_connection(""),
            permanent=permanent,
            refused_until=now + seconds,
            in_a_row=in_a_row,
            budget=budget,
        )
        self._put_status(refused)
        self._write(STATUS, self._token_key, refused.dump(), until=refused.refused_until, store=refusals)
        if of_client:
            # Whatever the scope or audience: it is the credential that is refused.
            record = replace(
                refused, refused_until=now + REMEMBERED, authorized_at=None, expires_at=None, scopes=()
            )
            content, until = record.dump(), now + (STATUS_KEPT if by_assertion else REMEMBERED)
            client_key = self._client_key
            for store in (self._store, refusals):
                self._write(CLIENT, client_key, content, until=until, store=store)

    def mark_early(self) -> None:
        """Note that somebody renews the token before its time."""
        self._put_status(replace(self.status(), early_at=time.time()))

    def standing(self, last: Status | None = None) -> tuple[OAuthError, float] | None:
        """Return the error in force and the seconds until it lapses.

        :param last: the last outcome, where the caller has just read it.
        :return: ``None`` when nothing speaks against asking; seconds are 0 for a permanent
            refusal, which is not worth waiting for.
        """
        last, now = last or self.status(), time.time()
        # That another assertion was accepted since is no reason to send a refused one again.
        over_at = last.authorized_at if self._assertion_file is None else None
        of_client = standing((self.client_status(),), over_at, now)
        return of_client or standing((last,), last.authorized_at, now)

    def concerns(self, status: Status) -> bool:
        """Whether what another process met holds for this one, too: a refused assertion is its own affair."""
        error = status.error
        return self._assertion_file is None or error is None or not refuses_client(error, by_assertion=True)

    def lease(self, number: int) -> Lease | None:
        """Take the right to ask.

        :param number: of the lease; a second one is taken over from a holder that does not deliver.
        """
        return self._lease("lease", self._token_key, number)

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
            for purpose in (TOKEN, STATUS):
                self._delete(purpose, self._token_key, store)
            for purpose in (CLIENT, INTROSPECTION.member, REVOCATION.member):
                self._delete(purpose, self._client_key, store)
        self._delete(METADATA, self._credential_key)

    def _token_in(self, content: bytes) -> AccessToken | None:
        """Return the token of an entry; none without the key that it is bound to."""
        held = HeldToken.load(content)
        token = with_key(held.token, self._proof, held.proof_key) if held else None
        if held is None or token is None:
            return None
        return accompanied(token, instance_url=held.instance_url, details=held.details)

    def _put_status(self, status: Status) -> None:
        now = time.time()
        record = status if status.reads_back(now) else None
        self._write(STATUS, self._token_key, status.dump(), until=now + STATUS_KEPT, record=record)


def _bad_token(content: bytes | None) -> tuple[str | None, float]:
    """Read the record of a refused token; what comes from a store may be anything."""
    try:
        record = json.loads(content or b"{}")
        return str(record["digest"]), float(record["until"])
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None, 0.0
