"""The place of one token in this process's memory."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from airflow_oauth_provider.protocol.token import CLOCK_TOLERANCE, AccessToken, TokenState
from airflow_oauth_provider.tokens.clocks import elapsed_clock

if TYPE_CHECKING:
    from airflow_oauth_provider.tokens.flight import Flight


class Slot:
    """One token, with its flight while one is being fetched.

    A token ends by whichever clock says so first: the wall clock may be set back, and the elapsed
    clock of a machine may stand still while it sleeps.
    """

    __slots__ = ("_held", "flight", "key", "lock")

    def __init__(self, key: str) -> None:
        self.key = key
        self.lock = threading.Lock()
        self.flight: Flight | None = None
        # The token; wall times from and until which it is good; the elapsed time until which it is.
        self._held: tuple[AccessToken, float, float, float] | None = None

    def current(self) -> AccessToken | None:
        """Return the token if it may be used now; takes no lock and well below a microsecond."""
        held = self._held
        if held is not None and held[1] <= time.time() < held[2] and elapsed_clock() < held[3]:
            return held[0]
        return None

    def put(self, token: AccessToken) -> None:
        """Keep *token*, unless a newer one is held or it is good for the call at hand only."""
        now = time.time()
        if token.state(now) in {TokenState.EXPIRED, TokenState.MANDATORY}:
            return
        held = self._held
        if held is not None and self.current() is not None and held[0].issued_at > token.issued_at:
            return
        self._held = (
            token,
            token.issued_at - CLOCK_TOLERANCE,
            token.mandatory_at,
            elapsed_clock() + (token.mandatory_at - now),
        )

    def drop(self, refused: AccessToken) -> None:
        """Forget *refused*; a newer token stays."""
        held = self._held
        if held is not None and held[0].value == refused.value:
            self._held = None
