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
    seconds = expires_at - time.time()
    if seconds < 0:
        return "the client's certificate is no longer valid"
    if seconds <= within_days * DAY:
        return f"the client's certificate ends in {_days(seconds)}: renew it"
    return None


def credential_warning(expires_at: float | None, within_days: float = SOON) -> str | None:
    """Say that secret or key end soon, or should have, by the date that a person has entered."""
    if expires_at is None:
        return None
    seconds, day = expires_at - time.time(), f"{utc(expires_at):.10}"
    if seconds < 0:
        return f"the credential was to end on {day} (credential_expires_on): renew it, and enter the new date"
    if seconds <= within_days * DAY:
        return f"the credential ends on {day} (credential_expires_on), in {_days(seconds)}: renew it"
    return None


def expiry_warnings(
    certificate: float | None, credential: float | None, within_days: float = SOON
) -> tuple[str, ...]:
    """Return what there is to say of the ends of a client's certificate and of its credential."""
    warnings = (
        certificate_warning(certificate, within_days),
        credential_warning(credential, within_days),
    )
    return tuple(filter(None, warnings))


def _days(seconds: float) -> str:
    days = round(seconds / DAY)
    return "less than a day" if days < 1 else f"{days} day{'' if days == 1 else 's'}"
