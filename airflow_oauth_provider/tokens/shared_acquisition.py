"""One token request for everybody who shares a store.

Whoever needs a token looks for one, and else for the lease that makes it the one who asks. The
others look again and again, each within its own budget: for the token, for an error they can share,
and for a holder that is gone. A holder that lives and does not deliver loses nothing; every ten
seconds one of those who wait asks beside it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from enum import Enum

from airflow_oauth_provider.exceptions import OAuthError, TransportError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.token.acquisition import Moment
from airflow_oauth_provider.protocol.token.retry import LEAST_ATTEMPT
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.transport.stopping import TaskStoppedError

TAKEOVER = 10.0
"""Seconds of waiting after which one more may ask."""
EARLY_PAUSE = 30.0
"""Seconds between two tries, by whomever, to renew a token before its time."""
_FIRST_POLL, _LAST_POLL = 0.02, 0.25


class Purpose(Enum):
    """Why a token is looked for."""

    NEEDED = "there is none"
    FORCED = "a new one is wanted"
    EARLY = "the one held is worth renewing"


class Search:
    """Look for a token, and ask for one if nobody else does.

    :param started: since when the caller waits; *until* when it does (monotonic seconds).
    :param held: the token that is worth renewing, for ``Purpose.EARLY``.
    :param fetch: asks the token endpoint.
    :param sleep: waits that many seconds.
    """

    def __init__(
        self,
        entries: Entries,
        started: Moment,
        until: float,
        purpose: Purpose,
        *,
        held: AccessToken | None,
        fetch: Callable[[], AccessToken],
        sleep: Callable[[float], None],
    ) -> None:
        self._entries = entries
        self._started = started
        self._until = until
        self._purpose = purpose
        self._held = held
        self._fetch = fetch
        self._sleep = sleep

    def run(self) -> AccessToken | None:
        """Return a token; ``None`` only where an early renewal is not due or did not work.

        :raises OAuthError: when there is none to be had.
        """
        return self._early() if self._purpose is Purpose.EARLY else self._needed()

    def _needed(self) -> AccessToken:
        pause = _FIRST_POLL
        while True:
            token = self._found()
            if token is not None:
                return token
            waited = time.monotonic() - self._started.monotonic
            lease = self._entries.lease(int(waited / TAKEOVER))
            if lease is not None:
                try:
                    return self._found() or self._ask()
                finally:
                    lease.release()
            self._wait(pause)
            pause = min(_LAST_POLL, pause * 1.5)

    def _early(self) -> AccessToken | None:
        newer = self._newer()
        if newer is not None or not self._early_is_due():
            return newer
        lease = self._entries.lease(0)
        if lease is None:
            return None
        try:
            newer = self._newer()
            if newer is not None or not self._early_is_due():
                return newer
            self._entries.mark_early()
            return self._ask()
        except TaskStoppedError:
            raise
        except OAuthError:
            return None  # the token held is good for a while yet
        finally:
            lease.release()

    def _newer(self) -> AccessToken | None:
        shared = self._entries.token()
        newer = shared is not None and (self._held is None or shared.issued_at > self._held.issued_at)
        return shared if newer else None

    def _early_is_due(self) -> bool:
        since = time.time() - self._entries.status().early_at
        return not 0 <= since < EARLY_PAUSE and self._entries.standing() is None

    def _found(self) -> AccessToken | None:
        """Return a shared token.

        :raises OAuthError: a refusal in force, or the failure of somebody who asked meanwhile.
        """
        token = self._entries.token()
        if token is not None and (
            self._purpose is not Purpose.FORCED or token.issued_at >= self._started.wall
        ):
            return token
        standing = self._entries.standing()
        if standing is not None:
            error, seconds = standing
            if seconds == 0 or seconds + LEAST_ATTEMPT > self._left():
                raise error
            self._sleep(seconds)
            return None
        self._share_failure()
        return None

    def _share_failure(self) -> None:
        """Fail with whoever has failed since we began to wait, unless we have more time than they had."""
        status = self._entries.status()
        if status.error is None or status.refused_at is None or status.refused_at < self._started.wall:
            return
        if not status.error.retryable or status.budget >= self._left():
            raise status.error

    def _ask(self) -> AccessToken:
        try:
            token = self._fetch()
        except TaskStoppedError:
            raise  # which tells nothing of the server
        except OAuthError as error:
            self._entries.refused(error, budget=self._until - self._started.monotonic)
            raise
        self._entries.granted(token)
        return token

    def _wait(self, seconds: float) -> None:
        left = self._left()
        if left <= 0:
            raise TransportError(
                "no token in time (max_wait): another process or host is asking for it and has not got it"
            )
        self._sleep(min(left, seconds * random.uniform(0.5, 1.0)))  # noqa: S311  (not a secret)

    def _left(self) -> float:
        return self._until - time.monotonic()
