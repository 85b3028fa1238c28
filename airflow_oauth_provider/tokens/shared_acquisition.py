"""One token request for everybody who shares a store.

Rules:

* A search looks for a usable token first, then for the lease that makes it the one who asks.
* The others look again and again, each within its own budget: for the token, for a failure they can share,
  and for a lease.
* A holder that is gone loses its lease (``flock`` at once, Redis after a while). One that lives and does
  not deliver loses nothing: after ten seconds, or half of a shorter budget, one of those who wait takes the
  next lease and asks beside it. Counting starts anew after a cool-down and after each failure, so that the
  oldest of those who waited do not take several leases at once.
* Whatever stands in the store, a search asks without a lease before its budget ends.
* A token that this process has refused is none, wherever it lies.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from airflow_oauth_provider.exceptions import OAuthError, TransportError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.token.retry import LEAST_ATTEMPT
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.stores.base import Lease, NoLease
from airflow_oauth_provider.transport.stopping import TaskStoppedError

log = logging.getLogger(__name__)

TAKEOVER = 10.0
"""Seconds of waiting after which one more may ask; half of a budget that is shorter than twice this."""
LAST_PART = 0.25
"""Share of a budget, at most ``TAKEOVER`` seconds, that is left for asking without a lease."""
EARLY_PAUSE = 30.0
"""Seconds between two attempts of all processes to renew a token before its time."""
_FIRST_POLL, _LAST_POLL = 0.02, 0.25


class Purpose(Enum):
    """Why a token is looked for."""

    NEEDED = "there is none"
    FORCED = "a new one is wanted"
    EARLY = "the one held is worth renewing"


@dataclass(frozen=True)
class Search:
    """Look for a token, and ask for one if nobody else does.

    :param budget: of the caller.
    :param held: the token that is worth renewing, for ``Purpose.EARLY``.
    :param accepts: whether this process may use a token that the store holds.
    :param fetch: asks the token endpoint.
    :param sleep: waits that many seconds.
    """

    entries: Entries
    budget: Budget
    purpose: Purpose
    held: AccessToken | None
    accepts: Callable[[AccessToken], bool]
    fetch: Callable[[], AccessToken]
    sleep: Callable[[float], None]

    def run(self) -> AccessToken | None:
        """Return a token; ``None`` only where an early renewal is not due or did not work.

        :raises OAuthError: when none can be acquired.
        """
        return self._renewed_early() if self.purpose is Purpose.EARLY else _Wait(self).run()

    def ask(self) -> AccessToken:
        """Ask the token endpoint, and share the outcome."""
        try:
            token = self.fetch()
        except TaskStoppedError:
            raise  # which says nothing of the server
        except OAuthError as error:
            self.entries.refused(error, budget=self.budget.seconds)
            raise
        self.entries.granted(token)
        return token

    def left(self) -> float:
        """Return the seconds left of the budget."""
        return self.budget.left(time.monotonic())

    def _renewed_early(self) -> AccessToken | None:
        newer = self._newer()
        if newer is not None or not self._early_is_due():
            return newer
        lease = self.entries.lease(0)
        if lease is None:
            return None
        try:
            newer = self._newer()
            if newer is not None or not self._early_is_due():
                return newer
            self.entries.mark_early()
            return self.ask()
        except TaskStoppedError:
            raise
        except OAuthError as error:
            log.warning(
                "A token could not be renewed before its time, and stays in use for now; the next attempt is "
                "in %.0f s: %s",
                EARLY_PAUSE,
                error.message,
            )
            return None
        finally:
            lease.release()

    def _newer(self) -> AccessToken | None:
        shared = self.entries.token()
        if shared is None or not self.accepts(shared):
            return None
        return shared if self.held is None or shared.issued_at > self.held.issued_at else None

    def _early_is_due(self) -> bool:
        status = self.entries.status()
        since = time.time() - status.early_at
        return not 0 <= since < EARLY_PAUSE and self.entries.standing(status) is None


class _Wait:
    """One search that ends with a token or an error."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._entries = search.entries
        self._started = search.budget.started
        seconds = search.budget.seconds
        self._takeover = min(TAKEOVER, seconds / 2)
        # By chance, so that those who began together do not end together.
        self._alone_at = min(TAKEOVER, seconds * LAST_PART) * random.uniform(0.5, 1.0)  # noqa: S311
        self._contended_since: float | None = None
        self._rested_after: float | None = 0.0  # never
        # What stood there at the beginning: what has come since is known without comparing clocks.
        forced = search.purpose is Purpose.FORCED
        self._before = self._entries.token() if forced else None
        refused_at = self._entries.status().refused_at
        # One that is later than now was written by a clock that is ahead: nobody knows when.
        meanwhile = refused_at is not None and self._started.wall <= refused_at <= time.time()
        self._failed_before = None if meanwhile else refused_at
        self._counted_failure = self._failed_before

    def run(self) -> AccessToken:
        pause = _FIRST_POLL
        while True:
            token = self._shared_token()
            if token is not None:
                return token
            lease = self._lease()
            if lease is not None:
                try:
                    return self._shared_token() or self._search.ask()
                finally:
                    lease.release()
            self._sleep(pause)
            pause = min(_LAST_POLL, pause * 1.5)

    def _shared_token(self) -> AccessToken | None:
        """Return a usable token of the store.

        :raises OAuthError: a refusal in force, or the failure of somebody who asked meanwhile.
        """
        token = self._entries.token()
        if token is not None and self._search.accepts(token) and self._is_new_enough(token):
            return token
        status = self._entries.status()
        error, seconds = self._entries.standing(status) or (None, 0.0)
        # By a clock that is ahead, a rest begins when it is over.
        if error is not None and (seconds == 0 or status.refused_at != self._rested_after):
            # 0 for a permanent refusal.
            if seconds == 0 or seconds + LEAST_ATTEMPT > self._search.left():
                raise error
            self._search.sleep(seconds)
            self._rested_after = status.refused_at
            self._contended_since = None  # nobody was to ask meanwhile: a holder has not failed to deliver
            return None
        self._share_failure(status)
        return None

    def _is_new_enough(self, token: AccessToken) -> bool:
        if self._search.purpose is not Purpose.FORCED:
            return True
        # Its time alone does not tell: another host's clock may be ahead.
        same = self._before is not None and self._before.value == token.value
        return not same and token.issued_at >= self._started.wall

    def _share_failure(self, status: Status) -> None:
        """Fail as another search has failed meanwhile, unless this one has more time than that had."""
        if status.error is None or status.refused_at is None or not self._entries.concerns(status):
            return
        if status.refused_at == self._failed_before:
            return  # it stood there before: this caller has come to try again
        if not status.error.retryable or status.budget >= self._search.left():
            raise status.error
        if status.refused_at != self._counted_failure:  # once for each failure: turns are counted anew
            self._counted_failure = status.refused_at
            self._contended_since = None

    def _lease(self) -> Lease | None:
        """Take the first lease or, after a while, the one whose turn it is."""
        first = self._entries.lease(0)
        now = time.monotonic()
        if first is not None or self._contended_since is None:
            self._contended_since = self._contended_since or now
            return first
        # Leases have numbers: with each takeover time one more may ask beside a holder that does not deliver.
        number = int((now - self._contended_since) / self._takeover)
        taken = self._entries.lease(number) if number else None
        if taken is None and self._search.left() <= self._alone_at:
            return NoLease()
        return taken

    def _sleep(self, seconds: float) -> None:
        left = self._search.left()
        if left <= 0:
            raise TransportError(
                "no token in time (max_wait): another process or host is asking for it and has received none"
            )
        self._search.sleep(min(left, seconds * random.uniform(0.5, 1.0)))  # noqa: S311  (not a secret)
