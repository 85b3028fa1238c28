"""The state of one authorization, as displays show it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.authorizations.clamping import LONGEST_REASON, clamp
from airflow_oauth_provider.authorizations.times import DAY, SOON, iso, utc
from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError, TransportError
from airflow_oauth_provider.protocol.access_token import AS_ASKED
from airflow_oauth_provider.tokens.last_use import Probe

if TYPE_CHECKING:
    from airflow_oauth_provider.authorizations.history import History


class AuthorizationStatus(Enum):
    """The state of an authorization; the value is its name in JSON and in filters."""

    AUTHORIZED = "authorized"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    EDITED = "edited"
    DISABLED = "disabled"
    NOT_YET = "not_yet"
    WRONG = "wrong_configuration"


LABELS = {
    AuthorizationStatus.AUTHORIZED: "Authorized",
    AuthorizationStatus.REFUSED: "Refused",
    AuthorizationStatus.UNREACHABLE: "Unreachable",
    AuthorizationStatus.BUSY: "Busy",
    AuthorizationStatus.EDITED: "Edited since",
    AuthorizationStatus.DISABLED: "Disabled",
    AuthorizationStatus.NOT_YET: "Not yet",
    AuthorizationStatus.WRONG: "Wrong configuration",
}
"""The states in words, in the order in which lists sort them."""
FAILED = frozenset(
    {
        AuthorizationStatus.REFUSED,
        AuthorizationStatus.UNREACHABLE,
        AuthorizationStatus.BUSY,
        AuthorizationStatus.DISABLED,
        AuthorizationStatus.WRONG,
    }
)
"""The states of those connections whose tasks get no new token now."""


def status_of(error: OAuthError) -> AuthorizationStatus:
    """Return what a failed acquisition says of the server; decided by type and attribute.

    A page comes from something in front of the server: nobody has reached the server itself.
    """
    if isinstance(error, TransportError):
        return AuthorizationStatus.UNREACHABLE
    if isinstance(error, TokenEndpointError):
        if error.retryable:
            return AuthorizationStatus.BUSY
        if error.is_page:
            return AuthorizationStatus.UNREACHABLE
    return AuthorizationStatus.REFUSED


@dataclass(frozen=True)
class Refusal:
    """Why the last try failed.

    :param at: seconds since the epoch.
    :param reason: what went wrong; *text* the same at length; *remedy* what to do about it.
    :param error: the OAuth error code, *description* and HTTP *status*, where the server gave them.
    """

    at: float
    reason: str
    remedy: str
    text: str
    error: str | None = None
    status: int | None = None
    description: str | None = None


@dataclass(frozen=True)
class Authorization:
    """What there is to say of one connection; times are seconds since the epoch, ``None`` for never.

    :param reason: why, where *status* is one of :data:`FAILED`; *in_a_row* how often since the last token,
        where it is disabled for that; *retry_at* from when tasks ask again, where it is disabled or busy.
    :param credential_source: where secret or key come from; ``None`` for the connection itself.
    :param sender_constraint: by what tokens are bound to the client; ``None`` for nothing.
    :param scope: scopes of the connection, *granted* those of the last token; *scopes_stated* whether the
        server named them, else they are as asked.
    :param details: what was granted beside scopes (RFC 9396), a line of JSON for each; ``None`` where nobody
        asked or the server does not say. *missing_details* has the types that were asked for and not granted.
    :param authorized_at: when the last token was granted; *expires_at* when it ends.
    :param used_at: when the connection was last used with other settings, where it was edited since.
    :param refusal: the last one, also where a token is held all the same.
    :param probe: what the last call of ``probe_path`` came to.
    :param certificate_expires_at: of the client's certificate, if there is one.
    :param credential_expires_at: when secret or key end, as a person has entered it.
    :param requests: token requests made for this connection since *counted_since*; *refusals* those
        that brought no token; *hits* tokens served without one; ``None`` where the store does not know.
    :param unusual: in what the connection deviates from the standards, by its fields.
    :param history: its outcomes over time; ``None`` where the connection is wrong.
    :param verified: nobody but a holder of the client's credential, or of ``store_key``, can have
        written in the store what the status says.
    """

    conn_id: str
    status: AuthorizationStatus
    reason: str | None = None
    in_a_row: int | None = None
    retry_at: float | None = None
    team: str | None = None
    description: str | None = None
    category: str | None = None
    token_url: str | None = None
    token_host: str | None = None
    client_id: str | None = None
    auth_method: str | None = None
    credential_source: str | None = None
    sender_constraint: str | None = None
    scope: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    scopes_stated: bool = True
    details: tuple[str, ...] | None = None
    missing_details: tuple[str, ...] = ()
    authorized_at: float | None = None
    expires_at: float | None = None
    used_at: float | None = None
    refusal: Refusal | None = None
    probe: Probe | None = None
    certificate_expires_at: float | None = None
    credential_expires_at: float | None = None
    requests: int | None = None
    refusals: int | None = None
    hits: int | None = None
    counted_since: float | None = None
    history: History | None = field(default=None, repr=False, compare=False)
    verified: bool = True
    warnings: tuple[str, ...] = ()
    unusual: tuple[str, ...] = ()

    @property
    def missing_scopes(self) -> tuple[str, ...]:
        """Scopes that were asked for and not granted."""
        if self.authorized_at is None:
            return ()
        return tuple(scope for scope in self.scope if scope not in self.granted)

    @property
    def not_granted(self) -> tuple[str, ...]:
        """Whatever was asked for and not granted: scopes, and types of rich requests."""
        return (*self.missing_scopes, *self.missing_details)

    @property
    def probe_failed(self) -> bool:
        """Whether the API refused the last token, or could not be reached with it."""
        return self.probe is not None and not self.probe.ok

    def needs_attention(self, now: float) -> bool:
        """Whether somebody has to do something; what is only busy passes by itself.

        :param now: seconds since the epoch.
        """
        ends = (self.certificate_expires_at, self.credential_expires_at)
        return (
            self.status in FAILED - {AuthorizationStatus.BUSY}
            or self.probe_failed
            or bool(self.not_granted)
            or any(ends_at is not None and ends_at < now + SOON * DAY for ends_at in ends)
        )

    @property
    def text(self) -> str:
        """The status in words, on one line of a table; *refusal* has all that the server said."""
        return self._words() if self.verified else f"{self._words()} (unverified)"

    def _words(self) -> str:
        if self.status is AuthorizationStatus.AUTHORIZED:
            over = self.expires_at is not None and self.expires_at <= time.time()
            more = " (over; a new token is fetched when one is needed)" if over else ""
            asked = f" (scopes {AS_ASKED})" if self.granted and not self.scopes_stated else ""
            return f"Authorized until {utc(self.expires_at)}{more}{asked}"
        if self.status is AuthorizationStatus.EDITED:
            return f"Edited since it was last used{f' ({utc(self.used_at)})' if self.used_at else ''}"
        word = LABELS[self.status]
        if self.status is AuthorizationStatus.BUSY and self.retry_at:
            word = f"{word} until {utc(self.retry_at)}"
        times = f", {self.in_a_row} times in a row" if self.in_a_row else ""
        if self.status is AuthorizationStatus.DISABLED and self.retry_at:
            times += f"; tasks try again at {utc(self.retry_at)}, or authorize it now"
        return f"{word}: {clamp(self.reason, LONGEST_REASON)}{times}" if self.reason else word

    def report(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        times = (
            *("authorized_at", "expires_at", "used_at", "retry_at", "certificate_expires_at"),
            "credential_expires_at",
            "counted_since",
        )
        probe = vars(self.probe) | {"at": iso(self.probe.at)} if self.probe else None
        refusal = vars(self.refusal) | {"at": iso(self.refusal.at)} if self.refusal else None
        return {
            **vars(self),
            **{name: iso(getattr(self, name)) for name in times},
            "status": self.status.value,
            "text": self.text,
            "missing_scopes": self.missing_scopes,
            "refusal": refusal,
            "probe": probe,
            "history": self.history.report() if self.history else None,
        }
