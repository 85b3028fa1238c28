"""Repetitions that outlive the worker: tenacity decides, the triggerer waits.

``retry_args`` hold callables and cannot go to the triggerer. So each outcome comes to the worker, which
asks tenacity as if it had made the earlier attempts itself.
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


@dataclass(frozen=True)
class Tries:
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

    def state(self) -> dict[str, Any]:
        """Return the arguments, for Airflow to keep."""
        return asdict(self)

    def left_of(self, whole: timedelta | None) -> timedelta | None:
        """Say how much of the time for all attempts is left; ``None`` for any time."""
        if whole is None:
            return None
        spent = timedelta(seconds=max(0.0, time.time() - self.started_at))
        return max(timedelta(0), whole - spent)


@dataclass(frozen=True)
class Again:
    """Try once more.

    :param tries: including the next one.
    :param at: seconds since the epoch before which not to.
    """

    tries: Tries
    at: float


@dataclass(frozen=True)
class UnlessFutile:
    """A ``retry`` of tenacity that leaves what cannot help unrepeated, and else does what was asked for.

    :param wanted: the ``retry`` of the user.
    :param fail_fast: whether a definite failure is not repeated; a call that ended because the task is
        being killed never is.
    """

    wanted: Callable[[RetryCallState], bool]
    fail_fast: bool

    def __call__(self, state: RetryCallState) -> bool:
        """Say whether to repeat."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TaskStoppedError):
            return False
        if self.fail_fast and isinstance(error, OAuthError) and is_definite(error):
            return False
        return self.wanted(state)


def unless_futile(retry_args: dict[str, Any] | None, *, fail_fast: bool) -> dict[str, Any] | None:
    """Return arguments of ``tenacity.Retrying`` by which nothing futile is repeated.

    What is not repeated tenacity raises as it is, without a ``RetryError`` around it.
    """
    if not retry_args:
        return retry_args
    wanted = retry_args.get("retry") or tenacity.retry_if_exception_type()
    return {**retry_args, "retry": UnlessFutile(wanted, fail_fast)}


def judge(
    outcome: Response | Exception, tries: Tries, retry_args: dict[str, Any] | None
) -> Response | Again | Any:
    """Say what to do with an attempt's outcome.

    :param retry_args: arguments of ``tenacity.Retrying``; ``None`` for no repetition.
    :return: the response, or what a ``retry_error_callback`` made of it; :class:`Again` to repeat.
    :raises Exception: the outcome, or tenacity's ``RetryError`` (without ``reraise``).
    """
    if not retry_args:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    retrying = tenacity.Retrying(**retry_args)
    state = RetryCallState(retrying, fn=None, args=(), kwargs={})
    state.attempt_number = tries.number
    state.start_time = time.monotonic() - (time.time() - tries.started_at)
    state.idle_for = tries.idle_for
    retrying.begin()
    if isinstance(outcome, Exception):
        state.set_exception((type(outcome), outcome, outcome.__traceback__))
    else:
        state.set_result(outcome)
    verdict = retrying.iter(state)
    if isinstance(verdict, DoSleep):
        return Again(Tries(tries.number + 1, tries.started_at, state.idle_for), time.time() + float(verdict))
    return verdict
