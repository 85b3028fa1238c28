"""The place of one token in this process's memory."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE, AccessToken, TokenState
from airflow_oauth_provider.tokens.clocks import elapsed_clock

if TYPE_CHECKING:
    from airflow_oauth_provider.tokens.single_flight import Flight

_JITTER = 0.2
"""Share of the advisory window by which processes begin at different times."""


class Slot:
    """One token, with its flight while one is being fetched.

    A token ends by whichever clock says so first: the wall clock may be set back, and the elapsed
    clock of a machine may stand still while it sleeps.
    """

    __slots__ = ("_held", "_jitter", "flight", "key", "lock")

    def __init__(self, key: str) -> None:
        self.key = key
        self.lock = threading.Lock()
        self.flight: Flight | None = None
        self._jitter = random.random() * _JITTER  # noqa: S311  (not a secret)
        # The token; wall times: good from, not worth renewing until, good until; elapsed: good until.
        self._held: tuple[AccessToken, float, float, float, float] | None = None

    def fresh(self) -> AccessToken | None:
        """Return the token if it is not even worth renewing; takes no lock and well below 1 µs."""
        held = self._held
        if held is not None and held[1] <= time.time() < held[2] and elapsed_clock() < held[4]:
            return held[0]
        return None

    def current(self) -> AccessToken | None:
        """Return the token if it may be used now."""
        held = self._held
        if held is not None and held[1] <= time.time() < held[3] and elapsed_clock() < held[4]:
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
        window = token.mandatory_at - token.advisory_at
        self._held = (
            token,
            token.issued_at - CLOCK_TOLERANCE,
            token.advisory_at + window * self._jitter,
            token.mandatory_at,
            elapsed_clock() + (token.mandatory_at - now),
        )

    def pause(self, seconds: float) -> None:
        """Do not think of renewing the token for a while."""
        held = self._held
        if held is not None:
            self._held = (*held[:2], min(time.time() + seconds, held[3]), *held[3:])

    def drop(self, refused: AccessToken) -> None:
        """Forget *refused*; a newer token stays."""
        held = self._held
        if held is not None and held[0].value == refused.value:
            self._held = None
