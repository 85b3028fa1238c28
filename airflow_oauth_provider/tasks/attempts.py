"""Attempts that outlive the worker: tenacity decides, the triggerer waits.

``retry_args`` hold callables and cannot go to the triggerer. So the outcome of each attempt comes to the
worker, which asks tenacity as if it had made the earlier attempts itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Self

import tenacity
from requests import Response
from tenacity import DoSleep, RetryCallState

from airflow_oauth_provider.exceptions import OAuthError, is_definite
from airflow_oauth_provider.transport.stopping import TaskStoppedError

MOST = 1e11
"""Attempts, and seconds since the epoch, beyond which nobody has counted."""


@dataclass(frozen=True)
class Attempts:
    """The attempts made so far, as JSON can hold them.

    :param number: of the attempt under way, from 1.
    :param started_at: seconds since the epoch at which the first began.
    :param idle_for: seconds waited between them.
    """

    number: int
    started_at: float
    idle_for: float = 0.0

    @classmethod
    def first(cls) -> Self:
        """Return those of a first attempt that begins now."""
        return cls(1, time.time())

    @classmethod
    def of(cls, state: Any) -> Self:
        """Return the attempts of :meth:`state`.

        :raises ValueError: when it is none of this version.
        """
        names = ("number", "started_at", "idle_for")
        if not isinstance(state, dict) or set(state) != set(names):
            raise ValueError("attempts has other names")
        for name in names:
            value = state[name]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value <= MOST or (name == "number" and value != int(value)):
                raise ValueError(f"attempts.{name} has another type")
        return cls(int(state["number"]), state["started_at"], state["idle_for"])

    def state(self) -> dict[str, Any]:
        """Return the arguments, for Airflow to keep."""
        return asdict(self)

    def left_of(self, whole: timedelta | None) -> timedelta | None:
        """Return how much of the time for all attempts is left; ``None`` for any time."""
        if whole is None:
            return None
        spent = timedelta(seconds=max(0.0, time.time() - self.started_at))
        return max(timedelta(0), whole - spent)


_CALLED = ("after", "before", "before_sleep", "retry", "retry_error_callback", "sleep", "stop", "wait")
"""The arguments of ``tenacity.Retrying`` that it calls, some of them not before an attempt has failed."""


@dataclass(frozen=True)
class NextAttempt:
    """The decision to make another attempt.

    :param attempts: including the next one.
    :param at: seconds since the epoch before which not to.
    """

    attempts: Attempts
    at: float


@dataclass(frozen=True)
class RetryCondition:
    """A ``retry`` of tenacity that never repeats what cannot help, and else asks the user's own.

    :param condition: the ``retry`` of the user.
    :param fail_fast: whether a permanent failure is not repeated; a call that ended because the task is
        being killed never is.
    """

    condition: Callable[[RetryCallState], bool]
    fail_fast: bool

    def __call__(self, state: RetryCallState) -> bool:
        """Say whether to repeat."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TaskStoppedError):
            return False
        if self.fail_fast and isinstance(error, OAuthError) and is_definite(error):
            return False
        return self.condition(state)


def with_retry_condition(retry_args: dict[str, Any] | None, *, fail_fast: bool) -> dict[str, Any] | None:
    """Return arguments of ``tenacity.Retrying`` that never repeat what cannot help.

    What is not repeated tenacity raises as it is, without a ``RetryError`` around it.

    :raises TypeError: when tenacity does not take them.
    """
    if not retry_args:
        return retry_args
    tenacity.Retrying(**retry_args)
    for name in _CALLED:
        value = retry_args.get(name)
        if value is not None and not callable(value) and (name, value) != ("wait", 0):
            raise TypeError(f"{name} must be a callable, as in stop=tenacity.stop_after_attempt(3)")
    condition = retry_args.get("retry") or tenacity.retry_if_exception_type()
    return {**retry_args, "retry": RetryCondition(condition, fail_fast)}


def decide(
    outcome: Response | Exception, attempts: Attempts, retry_args: dict[str, Any] | None
) -> Response | NextAttempt | Any:
    """Decide what follows from an attempt's outcome.

    :param retry_args: arguments of ``tenacity.Retrying``; ``None`` for no repetition.
    :return: the response, or what a ``retry_error_callback`` made of it; :class:`NextAttempt` to repeat.
    :raises Exception: the outcome, or tenacity's ``RetryError`` (without ``reraise``).
    """
    if not retry_args:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    retrying = tenacity.Retrying(**retry_args)
    state = RetryCallState(retrying, fn=None, args=(), kwargs={})
    state.attempt_number = attempts.number
    state.start_time = time.monotonic() - (time.time() - attempts.started_at)
    state.idle_for = attempts.idle_for
    retrying.begin()
    if isinstance(outcome, Exception):
        state.set_exception((type(outcome), outcome, outcome.__traceback__))
    else:
        state.set_result(outcome)
    decision = retrying.iter(state)
    if isinstance(decision, DoSleep):
        later = Attempts(attempts.number + 1, attempts.started_at, state.idle_for)
        return NextAttempt(later, time.time() + float(decision))
    return decision
