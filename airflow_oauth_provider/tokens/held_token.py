"""What the store seals: a token, and what belongs to it and to nobody else.

What is read was sealed by the same client, yet by any version of this package, and the store is foreign:
whatever does not fit is as good as absent.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, NoReturn

from airflow_oauth_provider.protocol.access_token import LATEST_TIME, AccessToken
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens.record_values import UNREADABLE

MAX_TOKEN = 64 * 1024
"""Characters of the longest token that is believed."""


@dataclass(frozen=True)
class HeldToken:
    """A token with its private companions; never leaves this package.

    :param proof_key: private key that the token is bound to (RFC 9449), for those who share the token.
    :param instance_url: base URL that the token response named.
    :param details: what was granted, as JSON text (RFC 9396).
    """

    token: AccessToken
    proof_key: Secret | None = field(default=None, repr=False)
    instance_url: str | None = None
    details: str | None = field(default=None, repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a HeldToken cannot be pickled: ask the hook for a token where it is needed")

    @classmethod
    def of(cls, token: AccessToken) -> HeldToken:
        """Return a token with those of its companions that its sharers need."""
        if not isinstance(token, PrivateToken):
            return cls(token)
        return cls(token, token.own_key, token.instance_url, token.details)

    def dump(self) -> bytes:
        """Return the content of a sealed entry."""
        token = self.token
        content = {
            "value": token.value,
            "token_type": token.token_type,
            "expires_at": token.expires_at,
            "issued_at": token.issued_at,
            "scopes": sorted(token.scopes),
            "scopes_stated": token.scopes_stated,
            "proof_key": self.proof_key.reveal() if self.proof_key else None,
            "instance_url": self.instance_url,
            "details": self.details,
        }
        return json.dumps({name: value for name, value in content.items() if value is not None}).encode()

    @classmethod
    def load(cls, data: bytes) -> HeldToken | None:
        """Read the content of an entry; ``None`` for anything that does not fit."""
        try:
            content = json.loads(data)
            token = AccessToken(
                value=_text(content["value"], MAX_TOKEN),
                token_type=_text(content["token_type"], 64),
                expires_at=_time(content["expires_at"]),
                issued_at=_time(content["issued_at"]),
                scopes=frozenset(_text(scope, MAX_TOKEN) for scope in content["scopes"]),
                scopes_stated=content.get("scopes_stated") is not False,
            )
            proof_key, instance_url = _optional(content, "proof_key"), _optional(content, "instance_url")
            return cls(
                token,
                Secret(proof_key) if proof_key else None,
                instance_url,
                _optional(content, "details"),
            )
        except UNREADABLE:
            return None


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ValueError("no text, or out of all measure")
    return value


def _optional(content: dict[str, Any], name: str) -> str | None:
    value = content.get(name)
    return None if value is None else _text(value, MAX_TOKEN)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    seconds = float(value)
    if not math.isfinite(seconds) or not 0 <= seconds <= LATEST_TIME:
        raise ValueError("no time")
    return seconds
