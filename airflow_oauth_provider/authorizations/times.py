"""Times for people, in UTC: page, command line and log speak of the same moment alike."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(at: float | None) -> str:
    """Return seconds since the epoch as ``2026-11-24 05:00:00 UTC``; "never" for ``None``."""
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at: float | None) -> str | None:
    """Return seconds since the epoch in ISO 8601, for machines."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
