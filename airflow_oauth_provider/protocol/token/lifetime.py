"""How long a token lives: ``expires_in`` (RFC 6749 §5.1), or what a server says instead."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from airflow_oauth_provider.protocol.settings import ResponseSettings
from airflow_oauth_provider.protocol.token.endpoint import TOKEN, is_blank

MAX_EXPIRES_IN = 24 * 3600
PER_SECOND: Mapping[str, float] = {"seconds": 1.0, "milliseconds": 1000.0, "minutes": 1 / 60}
"""Of each ``expires_in_unit``, how many make a second."""
_MOST_DIGITS = 18
_DECIMAL = re.compile(r"0*([0-9]+)(?:\.[0-9]*)?\Z", re.ASCII)


def read_lifetime(rules: ResponseSettings, members: Mapping[str, Any], *, now: float) -> float | None:
    """Return the seconds that the token lives; ``None`` where the server does not say.

    :param members: of the response; ``expires_at`` counts only where the connection says where it stands.
    :param now: seconds since the epoch, as the server counts them.
    :raises TokenResponseError: when what the server says is no lifetime.
    """
    seconds = _number(rules, "expires_in", members.get("expires_in"))
    if seconds is None and any(name == "expires_at" for name, _ in rules.members):
        ends_at = _end(rules, members.get("expires_at"))
        seconds = None if ends_at is None else max(0.0, ends_at - now)
    return None if seconds is None else float(math.floor(min(seconds, MAX_EXPIRES_IN)))


def _number(rules: ResponseSettings, name: str, value: Any) -> float | None:
    """Return seconds.

    A number is clamped before it becomes a float: Python has integers that no float can hold.
    """
    if is_blank(value):
        return None
    if isinstance(value, str):
        value = _decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise TOKEN.malformed(f"{name} is not a number of {rules.expires_in_unit}")
    return float(min(value, 10**_MOST_DIGITS)) / PER_SECOND[rules.expires_in_unit]


def _decimal(text: str) -> int | None:
    """Read the whole part of a decimal number; of a long one only that it is large."""
    match = _DECIMAL.match(text)
    if match is None:
        return None
    return int(match[1]) if len(match[1]) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _end(rules: ResponseSettings, value: Any) -> float | None:
    """Return seconds since the epoch, from a number or a time with its zone (RFC 3339)."""
    if isinstance(value, str) and not _DECIMAL.match(value) and value.strip(" "):
        with suppress(ValueError):  # which repeats the text
            moment = datetime.fromisoformat(value.strip(" "))
            if moment.tzinfo is not None:
                return moment.timestamp()
        raise TOKEN.malformed("expires_at is neither a number nor a time with its zone (RFC 3339)")
    # A time is never counted in minutes.
    unit = "milliseconds" if rules.expires_in_unit == "milliseconds" else "seconds"
    return _number(ResponseSettings(expires_in_unit=unit), "expires_at", value)
