"""What one user of a slot sees of its token without asking the slot.

Rules:

* A view is good for a second at the most; then its owner looks again, and reports what it was used for.
* The slot ends its views whenever its token changes, so that nobody sees a token that was refused.
* Whoever reads a view takes no lock: ``renew_at`` is written last when a token is shown.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_oauth_provider.protocol.access_token import AccessToken

VIEW_TIME = 1.0
"""Seconds that a view is good for."""
_ENDED = float("-inf")


class TokenView:
    """A token, and until when it may be handed out without another look.

    ``renew_at`` is in wall time, ``until`` on the monotonic clock; ``hits`` are the times it was handed out
    that are not reported yet.
    """

    __slots__ = ("__weakref__", "hits", "renew_at", "token", "until")

    token: AccessToken

    def __init__(self) -> None:
        self.renew_at = self.until = _ENDED
        self.hits = 0

    def show(self, token: AccessToken, renew_at: float, until: float) -> None:
        """Show *token*; the caller holds the slot's lock."""
        self.renew_at = _ENDED
        self.token, self.until = token, min(until, monotonic() + VIEW_TIME)
        self.renew_at = renew_at

    def end(self) -> None:
        """Show nothing until the owner looks again."""
        self.renew_at = _ENDED

    def taken_hits(self) -> int:
        """Return the hits that are not reported yet, which are the caller's to report now."""
        hits, self.hits = self.hits, 0
        return hits
