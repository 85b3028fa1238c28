"""What a JWT access token says of itself (RFC 7519, RFC 9068 §2.2), for displays.

Nothing decides by it: a client has no business with an access token but to send it (RFC 9068 §6), and
nobody has verified the signature. What is read is foreign: it is bounded, redacted and cleaned.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from airflow_oauth_provider.protocol.access_token import LATEST_TIME
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_object
from airflow_oauth_provider.protocol.texts import excerpt, plain

MAX_TOKEN = 64 * 1024
"""Characters of a token that is read; longer ones no API would take in a header."""
MAX_TEXT = 300
"""Characters of one value."""
MAX_ITEMS = 50
_PARTS_OF_JWS, _PARTS_OF_JWE = 3, 5
_BASE64 = re.compile(r"[A-Za-z0-9_-]+={0,2}\Z", re.ASCII)


@dataclass(frozen=True)
class Claims:
    """What is known of a token by itself.

    :param values: name of a claim → its value: a text, a list of texts, or for times ISO 8601.
    :param reason: why there is none; ``None`` where the token is a JWT that can be read.
    """

    values: Mapping[str, str | tuple[str, ...]]
    reason: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """Name and value, a line each; of a token that cannot be read the reason."""
        if self.reason is not None:
            return (f"nothing: {self.reason}",)
        texts = ((name, ", ".join(_listed(value))) for name, value in self.values.items())
        return tuple(f"{name}: {text}" for name, text in texts) or ("the token names none of them",)

    def report(self) -> dict[str, Any]:
        """Return them as JSON has them."""
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in self.values.items()}
        return {"verified": False, "values": values, "reason": self.reason}


def _listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def claims_of(token: str, redactor: Redactor = NOTHING) -> Claims:
    """Read the claims of an access token that are worth showing.

    :param redactor: of what must not be shown: a server may put anything into a claim.
    """
    if len(token) > MAX_TOKEN:
        return _unread(f"it is longer than {MAX_TOKEN // 1024} KiB")
    parts = token.split(".", _PARTS_OF_JWE)
    if len(parts) == _PARTS_OF_JWE:
        return _unread("it is encrypted, and only the API can read it")
    if len(parts) != _PARTS_OF_JWS or not all(map(_BASE64.match, parts[:2])):
        return _unread("it is opaque, and only the server knows what it is good for")
    try:
        header, payload = map(_decoded, parts[:2])
    except JsonError as error:
        return _unread(f"it looks like a JWT, but it {error}")
    if "alg" not in header:
        return _unread("it is opaque, and only the server knows what it is good for")
    values = {name: read(payload[name]) for name, read in _READ.items() if payload.get(name) is not None}
    return Claims(MappingProxyType({name: _fit(value, redactor) for name, value in values.items()}))


def _unread(reason: str) -> Claims:
    return Claims(MappingProxyType({}), reason)


def _decoded(part: str) -> dict[str, Any]:
    """Decode one part.

    :raises JsonError: when it is no JSON object, or one that cannot be read safely.
    """
    try:
        data = base64.urlsafe_b64decode(part.rstrip("=") + "=" * (-len(part.rstrip("=")) % 4))
    except (binascii.Error, ValueError):  # which may repeat it: ours is raised outside of this block
        data = None
    if data is None:
        raise JsonError("is not Base64")
    return parse_object(data)


def _fit(value: str | tuple[str, ...], redactor: Redactor) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return plain(excerpt(value, MAX_TEXT, redactor))
    fit = tuple(plain(excerpt(item, MAX_TEXT, redactor)) for item in value[:MAX_ITEMS])
    return fit if len(value) <= MAX_ITEMS else (*fit, f"… and {len(value) - MAX_ITEMS} more")


def _text(value: Any) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else _unexpected(value)


def _texts(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return _text(value)


def _time(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST_TIME:
        return _unexpected(value)
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")


def _unexpected(value: Any) -> str:
    """Say of which kind a value is that makes no sense there; it is not shown."""
    kinds = {dict: "an object", list: "a list", bool: "true or false", str: "a text"}
    return f"({kinds.get(type(value), 'a number')}, which makes no sense here)"


_READ: Mapping[str, Callable[[Any], str | tuple[str, ...]]] = MappingProxyType(
    {
        "iss": _text,
        "aud": _texts,
        "scope": _texts,
        "scp": _texts,
        "roles": _texts,
        "azp": _text,
        "client_id": _text,
        "exp": _time,
        "iat": _time,
    }
)
