"""When a token request is repeated, and how long to wait before.

RFC 9110 §10.2.3 (Retry-After) and §5.6.7 (dates). Full jitter: callers that failed together do
not come back together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import mktime_tz, parsedate_tz

from airflow_oauth_provider.protocol.http import HttpResponse

LONGEST_BACKOFF = 20.0
LEAST_ATTEMPT = 1.0
"""Seconds that must be left for a further attempt to be worth starting."""
MAX_COOL_DOWN = 3600.0
DEFAULT_COOL_DOWN = 5.0
LONGEST = 999_999_999.0
"""Seconds that a response can ask to wait, in whichever form: what is remembered of it has nine digits."""
_SECONDS = re.compile(r"[0-9]{1,9}\Z", re.ASCII)


def retry_after(response: HttpResponse, *, now: float) -> float | None:
    """Return the seconds that a response asks to wait.

    :param now: seconds since the epoch; used when the response has no ``Date`` of its own.
    :return: ``None`` when it does not ask, or not intelligibly.
    """
    value = response.header("retry-after") or response.header("x-retry-after")
    if value is None:
        return None
    if _SECONDS.match(value.strip()):
        return float(value)
    until = http_date(value)
    if until is None:
        return None
    # Compared with the server's own clock where it shows it: ours may be off.
    server_now = http_date(response.header("date") or "")
    return min(max(0.0, until - (now if server_now is None else server_now)), LONGEST)


def http_date(value: str) -> float | None:
    """Parse an HTTP date (IMF-fixdate, RFC 850 or asctime form) to seconds since the epoch."""
    if not 8 <= len(value) <= 64 or not re.search(r"[0-9]{2}:[0-9]{2}:[0-9]{2}", value):
        return None
    try:
        parsed = parsedate_tz(value)
        return float(mktime_tz(parsed)) if parsed else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def delay_before_retry(
    retry: int, *, remaining: float, retry_after: float | None, random: Callable[[], float]
) -> float | None:
    """Seconds to wait before retry number *retry* (0-based).

    :param remaining: seconds left of the whole acquisition.
    :param retry_after: seconds the server asked to wait, or ``None``.
    :param random: returns a float in [0, 1).
    :return: ``None`` when the budget does not allow another attempt.
    """
    spare = remaining - LEAST_ATTEMPT
    if spare < 0 or (retry_after is not None and retry_after > spare):
        return None
    if retry_after is not None:
        return retry_after + random() * min(1.0, spare - retry_after)
    return random() * min(LONGEST_BACKOFF, 4.0**retry, spare)


def cool_down(status: int | None, retry_after: float | None) -> float:
    """Seconds for which nobody should ask again after giving up on a response with *status*."""
    if retry_after is not None:
        return min(retry_after, MAX_COOL_DOWN)
    return DEFAULT_COOL_DOWN if status is not None and (status == 429 or status >= 500) else 0.0
