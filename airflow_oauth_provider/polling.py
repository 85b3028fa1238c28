"""What a failed poll means: not yet, try on, or give up. One answer for sensors and triggers."""

from __future__ import annotations

import logging
from collections.abc import Collection

from airflow_oauth_provider.exceptions import OAuthError, ResourceError

log = logging.getLogger(__name__)

MAX_CONSECUTIVE_FAILURES = 10


class Polling:
    """The polls of one sensor or trigger.

    :param not_yet: HTTP statuses of the API that mean "not yet".
    :param max_failures: passing failures in a row (no answer, HTTP status 429 or 5xx, no token for the
        moment) after which to give up; ``None`` for any number.
    """

    def __init__(self, not_yet: Collection[int], max_failures: int | None = MAX_CONSECUTIVE_FAILURES) -> None:
        self._not_yet = frozenset(not_yet)
        self._max_failures = max_failures
        self._failures = 0

    def answered(self) -> None:
        """Note a poll that was answered."""
        self._failures = 0

    def failed(self, error: OAuthError) -> float:
        """Note a poll that failed.

        :return: seconds that the server asked to stay away at least.
        :raises OAuthError: *error*, when polling on cannot help or the budget is spent.
        """
        wanted: float = getattr(error, "retry_after", None) or 0.0
        if isinstance(error, ResourceError) and error.status in self._not_yet:
            self.answered()
            return wanted
        if not error.retryable:
            raise error
        self._failures += 1
        if self._max_failures is not None and self._failures >= self._max_failures:
            raise error
        budget = "" if self._max_failures is None else f" of {self._max_failures}"
        log.warning("Poll failed (%d%s in a row), trying on: %s", self._failures, budget, error)
        return wanted
