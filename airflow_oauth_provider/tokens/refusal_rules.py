"""What a refusal means for later callers: how long nobody asks again, and which error they get."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_oauth_provider.exceptions import (
    InsufficientScopeError,
    OAuthError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE
from airflow_oauth_provider.protocol.token.errors import CLIENT_ERRORS
from airflow_oauth_provider.protocol.token.retry import cool_down
from airflow_oauth_provider.tokens.records import Status

REMEMBERED = 60.0
"""Seconds for which a permanent refusal is not asked about again."""
DISABLED_AFTER = 5
"""Refusals of the client itself in a row that disable it."""
PROBE_INTERVAL = 900.0
"""Seconds after which even a disabled client is tried once: a mended server needs no human."""
_BARE_REFUSALS = frozenset({400, 401, 403})


def final_code(error: OAuthError) -> str | None:
    """Return the OAuth error code of a refusal that will not pass by itself."""
    return error.error if isinstance(error, TokenEndpointError) and not error.retryable else None


def is_final(error: OAuthError) -> bool:
    """Whether a refusal without an error code is worth remembering for a minute.

    A bare 400, 401 or 403 is what some servers say of a wrong secret; a page comes from something in
    front of them. A server that grants less than require_scopes wants will do so again.
    """
    if isinstance(error, TokenEndpointError):
        return error.error is None and error.status in _BARE_REFUSALS and not error.is_page
    return isinstance(error, InsufficientScopeError)


def refuses_client(error: OAuthError, *, by_assertion: bool) -> bool:
    """Whether it is the client itself that was refused, whatever it asked for.

    :param by_assertion: it has sent an assertion of a file. Some servers say nothing of one that they do
        not accept.
    """
    if final_code(error) in CLIENT_ERRORS:
        return True
    return by_assertion and isinstance(error, TokenEndpointError) and is_final(error)


def remembered(code: str | None, in_a_row: int) -> float:
    """Seconds for which a permanent refusal is not asked about again."""
    return PROBE_INTERVAL if code in CLIENT_ERRORS and in_a_row >= DISABLED_AFTER else REMEMBERED


def rest(error: OAuthError) -> float:
    """Seconds of rest for a server that could not answer."""
    if isinstance(error, TokenEndpointError):
        return cool_down(error.status, error.retry_after)
    return cool_down(None, error.retry_after if isinstance(error, TransportError) else None)


def standing(
    statuses: Iterable[Status], authorized_at: float | None, now: float
) -> tuple[OAuthError, float] | None:
    """Return the first error in force and the seconds until it lapses.

    :param authorized_at: when the client was granted a token last; what was refused before is over.
    :return: ``None`` when nothing speaks against asking; seconds are 0 for a permanent refusal, which is
        not worth waiting for.
    """
    for status in statuses:
        if status.error is None or status.refused_at is None or (authorized_at or 0.0) > status.refused_at:
            continue
        # Another host's clock may be ahead: nothing lasts longer than it was meant to when it was written.
        seconds = status.refused_until - max(now, status.refused_at)
        # A record from the future was written by a clock that was wrong.
        if seconds > 0 and status.refused_at - now <= CLOCK_TOLERANCE:
            return _in_force(status, seconds)
    return None


def _in_force(status: Status, seconds: float) -> tuple[OAuthError, float]:
    error: OAuthError = (status.error or OAuthError("refused")).for_connection("")
    if status.permanent:
        if status.in_a_row >= DISABLED_AFTER:
            error.message = (
                f"disabled after {status.in_a_row} refusals in a row, until its settings change or someone "
                f"authorizes it (one try in {max(1, round(seconds / 60))} min): {error.message}"
            )
        return error, 0.0
    if isinstance(error, TokenEndpointError | TransportError):
        error.retry_after = seconds
    return error, seconds
