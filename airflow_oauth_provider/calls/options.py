"""The ``extra_options`` of a call, for their checks; imports nothing, since every DAG file imports it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SESSION_OPTIONS = ("verify", "verify_ssl", "cert", "proxies", "proxy")
"""Those that make a session of its own necessary."""
FLAGS = ("check_response", "allow_redirects", "stream")
"""Those that are true or false."""
WAIT, FAIL, IGNORE = "wait", "fail", "ignore"
COOL_DOWN = (WAIT, FAIL, IGNORE)
"""What ``cool_down`` may be: what a call does while its API wants to be left alone."""

OPTIONS = frozenset({"timeout", "total_timeout", "cool_down", *FLAGS, *SESSION_OPTIONS})
"""Every option that a call may have."""


def unwaiting(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of a call that somebody else waits for while its API wants to be left alone."""
    given = dict(options or {})
    return {**given, "cool_down": FAIL} if given.get("cool_down") in {None, WAIT} else given


LONGEST = 1e9
"""Seconds, 31 years: of longer ones neither sockets nor ``timedelta`` know."""


def is_time_limit(value: object) -> bool:
    """Whether a call can be limited by this: seconds above 0, or ``None`` for no limit."""
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LONGEST
