"""The life of a token as a bar: in use, worth renewing, at its end; with a mark where it is now."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup

from airflow_oauth_provider.authorizations.authorization import Authorization
from airflow_oauth_provider.protocol.access_token import AccessToken

_WIDTH, _HEIGHT, _STRIPE = 720, 14, 6


class TokenLife(NamedTuple):
    """Times in seconds since the epoch.

    :param renewed_from: from when one process renews it while others use it.
    :param used_until: from when nobody uses it.
    :param drawing: the bar.
    """

    granted_at: float
    renewed_from: float
    used_until: float
    ends_at: float
    phase: str
    drawing: Markup


def token_life(authorization: Authorization, now: float) -> TokenLife | None:
    """Return the life of the last token; ``None`` where there is none, or it is over.

    :param now: seconds since the epoch.
    """
    granted_at, ends_at = authorization.authorized_at, authorization.expires_at
    if granted_at is None or ends_at is None or not granted_at < ends_at or now >= ends_at:
        return None
    token = AccessToken("none", "Bearer", ends_at, granted_at)
    renewed_from, used_until = token.advisory_at, token.mandatory_at
    phase = (
        "in use"
        if now < renewed_from
        else "in use, and renewed by the next that asks"
        if now < used_until
        else "not used any more: the next that asks gets another"
    )
    drawing = _bar(*((at - granted_at) / (ends_at - granted_at) for at in (renewed_from, used_until, now)))
    return TokenLife(granted_at, renewed_from, used_until, ends_at, phase, drawing)


def _bar(renewed: float, unused: float, now: float) -> Markup:
    """Draw it: full where it is in use, striped where it is renewed, empty at the end."""
    from_, until, at = (round(min(max(share, 0.0), 1.0) * _WIDTH) for share in (renewed, unused, now))
    stripes = "".join(f"M{x} 0v{_HEIGHT}" for x in range(from_ + _STRIPE // 2, until, _STRIPE))
    passed, renewed_at, unused_at = (x * 100 // _WIDTH for x in (at, from_, until))
    title = (
        f"The life of the token: {passed} % have passed; it is renewed from {renewed_at} % on, "
        f"and not used from {unused_at} % on."
    )
    frame = f"M0 .5h{_WIDTH}M0 {_HEIGHT - 0.5}h{_WIDTH}M{_WIDTH - 0.5} 0v{_HEIGHT}"
    return Markup(  # noqa: S704  (numbers, and words of this module)
        f'<svg class="history life" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'preserveAspectRatio="none" focusable="false"><title>{title}</title>'
        f'<path class="ok" d="M0 0h{from_}v{_HEIGHT}h-{from_}z"/><path class="stripes" d="{stripes}"/>'
        f'<path class="axis" d="{frame}"/><path class="now" d="M{at} 0v{_HEIGHT}"/></svg>'
    )
