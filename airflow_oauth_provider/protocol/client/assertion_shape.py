"""Whether a text has the shape of a signed assertion: a JWT (RFC 7519 §7.2) in compact form (RFC 7515 §3.1).

Nothing of it is verified: that is for the server. What lies in a file by mistake, a password or somebody
else's configuration, is not to be sent to it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from airflow_oauth_provider.protocol.strict_json import JsonError, parse_value

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\Z")


def is_signed_jwt(text: str) -> bool:
    """Whether *text* is shaped like a JWT with a signature."""
    parts = _COMPACT.match(text)
    if parts is None:
        return False
    header, claims = (_object(part) for part in parts.groups())
    return claims is not None and header is not None and header.get("alg") not in (None, "none")


def _object(part: str) -> dict[str, Any] | None:
    try:
        value = parse_value(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
    except (binascii.Error, ValueError, JsonError):
        return None
    return value if isinstance(value, dict) else None
