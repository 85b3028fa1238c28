"""The place of one token in this process's memory.

Rules:

* A token that was refused here is never handed out again, whatever memory or store still hold; of what
  comes from elsewhere only a token issued later than the refused one replaces it.
* What this process itself has just been granted counts as later than anything before, whatever the clocks
  say: the server has answered since.
* ``fresh()`` takes no lock. Every change of the slot is made under ``lock``, and ends the views of it.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING
from weakref import WeakSet

from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE, AccessToken, TokenState
from airflow_oauth_provider.protocol.urls import Origin
from airflow_oauth_provider.tokens.clocks import elapsed_clock

if TYPE_CHECKING:
    from airflow_oauth_provider.tokens.single_flight import Flight
    from airflow_oauth_provider.tokens.token_view import TokenView

_JITTER = 0.2
"""Share of the advisory window by which processes begin at different times."""
MAX_REFUSED = 64
"""Refused tokens of one key that are remembered."""


def token_digest(token: AccessToken) -> str:
    """Return what a token is remembered by once it is of no use."""
    return hashlib.sha256(token.value.encode(errors="surrogatepass")).hexdigest()


_INFINITY = float("inf")
Held = tuple[AccessToken | None, float, float, tuple[float, float, float]]
"""A token, the wall time from which it is worth renewing, the monotonic time until which it is good; and
wall times between which it is good, with the end on the elapsed clock."""
_NOTHING: Held = None, -_INFINITY, -_INFINITY, (_INFINITY, -_INFINITY, -_INFINITY)


class RefusedTokens:
    """The tokens of one key that were refused.

    ``latest_issue``: when the latest of them was issued.
    """

    __slots__ = ("_digests", "latest_issue")

    def __init__(self) -> None:
        self._digests: OrderedDict[str, None] = OrderedDict()
        self.latest_issue = -_INFINITY

    def __bool__(self) -> bool:
        return self.latest_issue > -_INFINITY

    def __contains__(self, token: AccessToken) -> bool:
        return token_digest(token) in self._digests

    def add(self, token: AccessToken) -> None:
        """Remember *token*."""
        self._digests[token_digest(token)] = None
        while len(self._digests) > MAX_REFUSED:
            self._digests.popitem(last=False)
        self.latest_issue = max(self.latest_issue, token.issued_at)

    def remove(self, token: AccessToken) -> None:
        """Forget *token*: it has just been granted again."""
        self._digests.pop(token_digest(token), None)


class Slot:
    """One token, with its flight while one is being fetched.

    A token ends by whichever clock says so first: the wall clock may be set back, and the elapsed
    clock of a machine may stand still while it sleeps.

    :param refused: what was refused before this place was made.
    """

    __slots__ = (
        "__weakref__",
        "_accepted",
        "_jitter",
        "_views",
        "flight",
        "held",
        "key",
        "lock",
        "refused",
    )

    def __init__(self, key: str, refused: RefusedTokens | None = None) -> None:
        self.key = key
        self.lock = threading.Lock()
        self.flight: Flight | None = None
        self._jitter = random.random() * _JITTER  # noqa: S311  (not a secret)
        self.held: Held = _NOTHING
        self.refused = refused or RefusedTokens()
        self._accepted: dict[Origin, AccessToken] = {}
        self._views: WeakSet[TokenView] = WeakSet()

    def fresh(self) -> AccessToken | None:
        """Return the token if it is not even worth renewing; takes no lock and well below 1 µs.

        Of the two clocks that count what has passed, the one that is read faster: after a machine has
        slept, the wall clock decides.
        """
        token, renew_at, until, _ = self.held
        return token if time.time() < renew_at and time.monotonic() < until else None

    def show(self, view: TokenView) -> AccessToken | None:
        """Let *view* show the token, if it is not even worth renewing, until it changes."""
        with self.lock:
            token = self.fresh()
            if token is not None:
                self._views.add(view)
                view.show(token, *self.held[1:3])
            return token

    def current(self) -> AccessToken | None:
        """Return the token if it may be used now."""
        token, _, _, (good_from, good_until, until) = self.held
        return token if good_from <= time.time() < good_until and elapsed_clock() < until else None

    def accepts(self, token: AccessToken, *, granted: bool = False) -> bool:
        """Whether a token that was found somewhere may be used here.

        :param granted: as of :meth:`put`.
        """
        held = self.held[0]
        if held is not None and held.value == token.value:
            return True
        return (granted or token.issued_at > self.refused.latest_issue) and token not in self.refused

    def put(self, token: AccessToken, *, granted: bool = False) -> None:
        """Keep *token*, unless it is good for the call at hand only, refused, or older than the one held.

        :param granted: this process has just been granted it.
        """
        if granted:
            self.refused.remove(token)
        elif not self.accepts(token):
            return
        now = time.time()
        if token.state(now) in {TokenState.EXPIRED, TokenState.MANDATORY}:
            return
        held = self.current()
        if held is not None and held.issued_at > token.issued_at and not granted:
            return
        window = token.mandatory_at - token.advisory_at
        left = token.mandatory_at - now
        self._hold(
            (
                token,
                token.advisory_at + window * self._jitter,
                time.monotonic() + left,
                (token.issued_at - CLOCK_TOLERANCE, token.mandatory_at, elapsed_clock() + left),
            )
        )

    def pause(self, seconds: float) -> None:
        """Do not think of renewing the token for a while."""
        token, _, until, bounds = self.held
        self._hold((token, min(time.time() + seconds, bounds[1]), until, bounds))

    def empty(self) -> None:
        """Forget the token; whoever holds this slot looks for another one."""
        self._hold(_NOTHING)

    def refuse(self, token: AccessToken) -> None:
        """Take *token* out of use for good; a newer one stays."""
        held = self.held[0]
        if held is not None and held.value == token.value:
            self.empty()
        for origin in [origin for origin, known in self._accepted.items() if known.value == token.value]:
            del self._accepted[origin]
        # Last: a task's timeout may end this at any place, and what counts as refused is not refused again.
        self.refused.add(token)

    def has_refused(self, token: AccessToken) -> bool:
        """Whether *token* has been taken out of use here."""
        return token in self.refused

    def accepted_by(self, origin: Origin, token: AccessToken) -> None:
        """Note that an API has answered a call with *token* by a 2xx status."""
        self._accepted[origin] = token

    def was_accepted_by(self, origin: Origin, token: AccessToken) -> bool:
        """Whether this API has answered a call of this process with *token* by a 2xx status."""
        accepted = self._accepted.get(origin)
        return accepted is not None and accepted.value == token.value

    def _hold(self, held: Held) -> None:
        # First of all the views, which whoever replaces the token once more would not end.
        for view in self._views:
            view.end()
        self._views.clear()
        self.held = held


EMPTY = Slot("")
"""Never filled: for a connection that has not been read yet."""
