"""What a failed poll means (not yet, try on, or give up), and when to poll again.

One answer for sensors and triggers.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection

from airflow_oauth_provider.exceptions import OAuthError, ResourceError

log = logging.getLogger(__name__)

MAX_CONSECUTIVE_FAILURES = 10


def asked_to_wait(error: Exception) -> float:
    """Return the seconds that a server asked to stay away at least."""
    return getattr(error, "retry_after", None) or 0.0


def pause_between(interval: float, *, waited: float | None = None, longest: float | None = None) -> float:
    """Return the seconds between two polls.

    :param waited: seconds since the first poll, for pauses that grow as those of Airflow's
        ``exponential_backoff`` do; ``None`` for the same pause each time. Made of the time and not of a
        count, they go on where a triggerer that is started again has forgotten the polls.
    :param longest: seconds of a growing pause at the most; ``None`` for any.
    """
    if waited is None:
        return interval
    wanted = max(interval, waited)
    # By chance, so that the sensors of one DAG run do not poll in step; at least half, so that it grows.
    pause = random.uniform(wanted / 2, wanted)  # noqa: S311  (nothing secret)
    return pause if longest is None else min(pause, longest)


class Polling:
    """The polls of one sensor or trigger.

    :param not_yet: HTTP statuses of the API that mean "not yet".
    :param max_failures: passing failures in a row (no answer, HTTP status 429 or 5xx, no token for the
        moment) after which to give up; ``None`` for any number.
    """

    def __init__(self, not_yet: Collection[int], max_failures: int | None = MAX_CONSECUTIVE_FAILURES) -> None:
        self._not_yet = frozenset(not_yet)
        self._max_failures = max_failures
        self.failures = 0
        """Passing failures in a row."""
        self.wanted = 0.0
        """Seconds that the server, at the last poll, asked to stay away at least."""

    def answered(self) -> None:
        """Note a poll that was answered."""
        self.failures = 0
        self.wanted = 0.0

    def failed(self, error: OAuthError) -> float:
        """Note a poll that failed.

        :return: seconds that the server asked to stay away at least.
        :raises OAuthError: *error*, when polling on cannot help or the budget is spent.
        """
        self.wanted = asked_to_wait(error)
        if isinstance(error, ResourceError) and error.status in self._not_yet:
            self.failures = 0
            return self.wanted
        if not error.retryable:
            raise error
        self.failures += 1
        if self._max_failures is not None and self.failures >= self._max_failures:
            raise error
        budget = "" if self._max_failures is None else f" of {self._max_failures}"
        log.warning("Poll failed (%d%s in a row), trying on: %s", self.failures, budget, error)
        return self.wanted
