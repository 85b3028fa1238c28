"""The polls of a sensor: what a failed one means, when the next one comes, and what the log says.

One implementation for the worker and the triggerer. The log gets a line for the first poll, for each one
that sees something else than the one before, and else for so many that a line comes about every ten
minutes; a failed poll is a warning each time, as long as their number is limited.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Self

from airflow_oauth_provider.exceptions import OAuthError, ResourceError
from airflow_oauth_provider.protocol.texts import plain
from airflow_oauth_provider.response_check import Inspection

log = logging.getLogger(__name__)

MAX_CONSECUTIVE_FAILURES = 10
LONGEST_RETRY_AFTER = 3600.0
"""Seconds for which a server's wish to be left alone is obeyed at the most."""
LINE_EVERY = 600.0
"""Seconds after which a poll is logged although it sees what the one before saw."""
MOST = 10**9
"""Polls that anybody has counted."""
MAX_SEEN = 500
"""Characters of the longest text about one poll."""


def asked_to_wait(error: Exception) -> float:
    """Return the seconds that a server asked to stay away at least, an hour at the most."""
    return min(getattr(error, "retry_after", None) or 0.0, LONGEST_RETRY_AFTER)


def pause_between(interval: float, *, waited: float | None = None, longest: float | None = None) -> float:
    """Return the seconds between two polls.

    :param waited: seconds since the first poll, for pauses that grow as those of Airflow's
        ``exponential_backoff`` do; ``None`` for the same pause each time. Made of the time and not of a
        count, they go on where a triggerer that is started again has forgotten the polls.
    :param longest: seconds of a growing pause at the most; ``None`` for any.
    """
    if waited is None:
        return interval
    limit = max(interval, waited)
    # By chance, so that the sensors of one DAG run do not poll in step; at least half, so that it grows.
    pause = random.uniform(limit / 2, limit)  # noqa: S311  (nothing secret)
    return pause if longest is None else min(pause, longest)


@dataclass
class Progress:
    """What is known of the polls so far, as JSON can hold it.

    :param polls: their number.
    :param failures: temporary failures in a row.
    :param seen: what the last one saw, without anything confidential.
    :param logged: the number of the last one that has been logged.
    :param warned: whether the log says that the response lacks the JSON path.
    """

    polls: int = 0
    failures: int = 0
    seen: str = ""
    logged: int = 0
    warned: bool = False

    @classmethod
    def of(cls, state: Any) -> Self:
        """Return the progress of :meth:`state`.

        :raises ValueError: when it is none of this version.
        """
        progress = cls()
        known = vars(progress)
        if not isinstance(state, dict) or state.keys() != known.keys():
            raise ValueError("progress has other names")
        for name, value in state.items():
            if type(value) is not type(known[name]) or (isinstance(value, int) and not 0 <= value <= MOST):
                raise ValueError(f"progress.{name} has another type")
        return cls(**{**state, "seen": one_line(state["seen"])})

    def state(self) -> dict[str, Any]:
        """Return it for Airflow to keep."""
        return asdict(self)


class Polling:
    """The polls of one sensor or trigger.

    :param not_yet: HTTP statuses of the API that mean "not yet".
    :param max_failures: temporary failures in a row (no response, HTTP status 429 or 5xx, no token for the
        moment) after which to give up; ``None`` for any number.
    :param progress: of the polls so far; ``None`` where nobody counts them.
    """

    def __init__(
        self,
        not_yet: Collection[int],
        max_failures: int | None = MAX_CONSECUTIVE_FAILURES,
        *,
        progress: Progress | None = None,
    ) -> None:
        self._not_yet = frozenset(not_yet)
        self._max_failures = max_failures
        self._counted = progress is not None
        self.progress = progress or Progress()
        self.retry_after = 0.0
        """Seconds that the server, at the last poll, asked to stay away at least."""
        self._before = ""
        self._failure: OAuthError | None = None

    def inspected(self, inspection: Inspection, redact: Callable[[str], str]) -> bool:
        """Note a poll that brought a response, and what the declared check says of it.

        :param redact: removes what is confidential.
        :return: whether waiting is over.
        """
        if inspection.lacks_path and not self.progress.warned:
            self.progress.warned = True
            log.warning("%s", one_line(redact(inspection.names_there())))
        self._polled(redact(str(inspection)))
        return self._concluded(over=inspection.holds)

    def responded(self, seen: str, *, over: bool) -> bool:
        """Note a poll that brought a response.

        :param seen: what it saw, without anything confidential.
        :return: *over*, whether waiting is over.
        """
        self._polled(seen)
        return self._concluded(over=over)

    def _concluded(self, *, over: bool) -> bool:
        self.progress.failures = 0
        if over:
            log.info("%s; as expected", self.last_seen)
        return over

    def failed(self, error: OAuthError) -> None:
        """Note a poll that failed.

        :raises OAuthError: *error*, when polling on cannot help or the budget is spent.
        """
        if isinstance(error, ResourceError) and error.status in self._not_yet:
            self._polled(f"{error.status}, which means not yet")
            self._concluded(over=False)
            self.retry_after = asked_to_wait(error)
            return
        if isinstance(error, ResourceError) and not error.sent:
            self._polled(f"not sent: the API wants to be left alone (HTTP status {error.status})")
            self.retry_after = asked_to_wait(error)
            return
        self._polled(f"failed: {error}", error)
        self.progress.failures += 1
        self.retry_after = asked_to_wait(error)
        if not error.retryable or self._spent:
            raise error

    @property
    def _spent(self) -> bool:
        return self._max_failures is not None and self.progress.failures >= self._max_failures

    def _polled(self, seen: str, failure: OAuthError | None = None) -> None:
        self._before, self.progress.seen = self.progress.seen, one_line(seen)
        self._failure = failure
        self.progress.polls += 1
        self.retry_after = 0.0

    def pausing(self, seconds: float) -> None:
        """Log the last poll, if it is worth a line, and when the next one comes."""
        progress = self.progress
        limited = self._failure is not None and self._max_failures is not None
        unlogged = progress.polls - progress.logged
        if progress.seen == self._before and not limited and unlogged * max(seconds, 0.001) < LINE_EVERY:
            return
        progress.logged = progress.polls
        row = ""
        if self._failure is not None:
            budget = "" if self._max_failures is None else f" of {self._max_failures}"
            row = f" ({progress.failures}{budget} failures in a row)"
        level = logging.INFO if self._failure is None else logging.WARNING
        log.log(level, "%s%s; next in %.6g s", self.last_seen, row, round(seconds, 0 if seconds >= 10 else 1))

    @property
    def last_seen(self) -> str:
        """The last poll, for people."""
        number = f"poll {self.progress.polls}" if self._counted else "poll"
        return f"{number}: {self.progress.seen}" if self.progress.seen else "no poll has ended yet"


def one_line(text: str) -> str:
    """Return a text as one line that is short enough for a log."""
    line = plain(text).encode("utf-8", "replace").decode()
    return line if len(line) <= MAX_SEEN else line[: MAX_SEEN - 1] + "…"
