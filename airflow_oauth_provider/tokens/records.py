"""Outcomes and errors as JSON, for sealed entries.

What is read was sealed by the same client, yet by any version of this package: whatever does not
fit is as good as absent. No pickle, and no import of a name that stands in an entry.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_oauth_provider.exceptions import (
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.protocol.error_record import from_dict, to_dict

_SHARED = frozenset(
    {InvalidClientError, TokenEndpointError, TokenResponseError, TransportError, InsufficientScopeError}
)
_FOREIGN = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def concerns_others(error: OAuthError) -> bool:
    """Whether an error tells something about the server or the credential, and not only its own caller."""
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
    :param refused_at: when an acquisition failed last.
    :param error: how.
    :param refused_until: until when nobody asks again; *refused_at* when anybody may.
    :param permanent: the refusal will not pass by itself, so that nobody waits for its end.
    :param in_a_row: refusals of the client itself without a token between them.
    :param budget: seconds the one who failed had at most.
    :param early_at: when a token was last renewed before its time, or tried to be.
    """

    authorized_at: float | None = None
    expires_at: float | None = None
    scopes: tuple[str, ...] = ()
    scopes_stated: bool = True
    refused_at: float | None = None
    error: OAuthError | None = field(default=None, compare=False)
    refused_until: float = 0.0
    permanent: bool = False
    in_a_row: int = 0
    budget: float = 0.0
    early_at: float = 0.0

    def dump(self) -> bytes:
        """Write it."""
        content = {**asdict(self), "error": _shared_record(self.error)}
        return json.dumps(content).encode()

    @classmethod
    def load(cls, data: bytes) -> Status | None:
        """Read it."""
        try:
            content = json.loads(data)
            error = from_dict(content["error"]) if content["error"] else None
            if error is not None and not concerns_others(error):
                return None
            return cls(**{**content, "error": error, "scopes": tuple(content["scopes"])})
        except _FOREIGN:
            return None
