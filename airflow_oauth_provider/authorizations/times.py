"""Times for people, in UTC: page, command line and log speak of the same moment alike."""

from __future__ import annotations

import time
from datetime import UTC, datetime

DAY = 86_400.0
SOON = 30.0
"""Days before its end from which displays warn of a certificate."""


def utc(at: float | None) -> str:
    """Return seconds since the epoch as ``2026-11-24 05:00:00 UTC``; "never" for ``None``."""
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at: float | None) -> str | None:
    """Return seconds since the epoch in ISO 8601, for machines."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


_DAYS_FROM = 2 * DAY
_HOURS_FROM = 2 * 3600.0
_NOW = 45.0


def relative(at: float, now: float) -> str:
    """Return how far a time is: "in 58 min", "3 h ago", "just now"."""
    seconds = abs(at - now)
    if seconds < _NOW:
        return "just now" if at <= now else "in a moment"
    if seconds >= _DAYS_FROM:
        text = f"{seconds / DAY:.0f} days"
    elif seconds >= _HOURS_FROM:
        text = f"{seconds / 3600:.0f} h"
    else:
        text = f"{max(1.0, seconds / 60):.0f} min"
    return f"{text} ago" if at <= now else f"in {text}"


def certificate_warning(expires_at: float | None, within_days: float = SOON) -> str | None:
    """Say that a certificate ends soon, or has ended; ``None`` where it does not, or there is none."""
    if expires_at is None:
        return None
    days = (expires_at - time.time()) / DAY
    if days < 0:
        return "the client's certificate is no longer valid"
    if days <= within_days:
        return f"the client's certificate ends in {days:.0f} days: renew it"
    return None
