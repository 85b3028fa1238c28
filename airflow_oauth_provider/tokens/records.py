"""Outcomes and errors as JSON, for sealed entries.

What is read was sealed by the same client, yet by any version of this package, and what displays show
was perhaps sealed by nobody: types and ranges are checked, and whatever does not fit is as good as
absent. No pickle, and no import of a name that stands in an entry.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.exceptions import (
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.error_record import from_dict, to_dict
from airflow_oauth_provider.protocol.private_token import details_of
from airflow_oauth_provider.protocol.texts import clean_uri
from airflow_oauth_provider.protocol.token.authorization_details import details_in
from airflow_oauth_provider.protocol.token.retry import MAX_COOL_DOWN
from airflow_oauth_provider.tokens.record_values import (
    UNREADABLE,
    RecordError,
    end,
    flag,
    number,
    past,
    plausible_end,
    text,
    texts,
    whole,
)

_SHARED = frozenset(
    {InvalidClientError, TokenEndpointError, TokenResponseError, TransportError, InsufficientScopeError}
)
_MOST_IN_A_ROW = 1_000_000
_LONGEST_BUDGET = 3600.0


def concerns_others(error: OAuthError) -> bool:
    """Whether an error says something about the server or the credential, and not only its own caller."""
    return type(error) in _SHARED


def _shared_record(error: OAuthError | None) -> dict[str, Any] | None:
    """Write an error for all who share an entry: under no connection id, which is the caller's own."""
    return {**to_dict(error), "conn_id": None} if error is not None and concerns_others(error) else None


@dataclass(frozen=True)
class Status:
    """The last outcome of one key: what callers share, and what status displays show.

    Times are seconds since the epoch; ``None`` means never.

    :param authorized_at: when the last token was granted, *expires_at* when it ends.
    :param scopes: what was granted with it.
    :param scopes_stated: as of :class:`AccessToken`.
    :param details: as of :class:`PrivateToken`.
    :param refused_at: when an acquisition failed last.
    :param error: how.
    :param refused_until: until when nobody asks again; *refused_at* when anybody may.
    :param permanent: the refusal will not pass by itself, so that nobody waits for its end.
    :param in_a_row: refusals of the client itself without a token between them.
    :param budget: seconds the one who failed had at most.
    :param early_at: when a token was last renewed before its time, or tried to be.
    :param revoked_issue: when the latest of those tokens was issued that were taken back.
    """

    authorized_at: float | None = None
    expires_at: float | None = None
    scopes: tuple[str, ...] = ()
    scopes_stated: bool = True
    details: str | None = None
    refused_at: float | None = None
    error: OAuthError | None = field(default=None, compare=False)
    refused_until: float = 0.0
    permanent: bool = False
    in_a_row: int = 0
    budget: float = 0.0
    early_at: float = 0.0
    revoked_issue: float | None = None

    @classmethod
    def authorized(cls, token: AccessToken, *, early_at: float = 0.0) -> Status:
        """Return the outcome of a search that has brought a token."""
        return cls(
            authorized_at=token.issued_at,
            expires_at=plausible_end(token.issued_at, token.expires_at),
            scopes=tuple(text(scope) for scope in sorted(token.scopes)),
            scopes_stated=token.scopes_stated,
            details=details_of(token),
            early_at=early_at,
        )

    def reads_back(self, now: float) -> bool:
        """Whether reading what this writes gives the same again: a success, at times that have been.

        An error is not the same: who meets it raises a copy.
        """
        times = self.authorized_at or 0.0, self.revoked_issue or 0.0, self.early_at
        past = min(*times, self.expires_at or 0.0) >= 0 and max(times) <= now
        return past and self.error is None and self.details is None

    def dump(self) -> bytes:
        """Write it."""
        return json.dumps(self.content()).encode()

    def content(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {**vars(self), "error": _shared_record(self.error)}

    @classmethod
    def load(cls, data: bytes) -> Status | None:
        """Read it."""
        try:
            return cls.of(json.loads(data), time.time())
        except UNREADABLE:
            return None

    @classmethod
    def of(cls, content: Any, now: float) -> Status:
        """Take it from what :meth:`content` returned, and check each value.

        :param now: seconds since the epoch.
        :raises Exception: of any kind, for one that is not what it should be.
        """
        authorized_at, expires_at = _past_or_never(content["authorized_at"], now), content["expires_at"]
        refused_at = _past_or_never(content["refused_at"], now)
        return cls(
            authorized_at=authorized_at,
            expires_at=None if expires_at is None else end(expires_at, authorized_at or 0),
            scopes=texts(content["scopes"]),
            scopes_stated=flag(content.get("scopes_stated", True)),
            details=_details(content.get("details")),
            refused_at=refused_at,
            error=_shared_error(content["error"]),
            refused_until=number(content["refused_until"], 0, (refused_at or 0) + MAX_COOL_DOWN),
            permanent=flag(content["permanent"]),
            in_a_row=whole(content["in_a_row"], _MOST_IN_A_ROW),
            budget=number(content["budget"], 0, _LONGEST_BUDGET),
            early_at=past(content["early_at"], now),
            revoked_issue=_past_or_never(content.get("revoked_issue"), now),
        )


def _past_or_never(value: Any, now: float) -> float | None:
    return None if value is None else past(value, now)


def _details(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not details_in(value):
        raise RecordError("they are no authorization details")
    return value


def _shared_error(record: Any) -> OAuthError | None:
    if record is None:
        return None
    error = from_dict(record)
    if not concerns_others(error) or error.conn_id is not None:
        raise RecordError("it is no error that is shared")
    if isinstance(error, TokenEndpointError):
        error.uri = clean_uri(error.uri)
    return error
