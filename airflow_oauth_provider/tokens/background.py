"""Work that blocks, in a thread of its own, for callers who wait so long and no longer.

What it does cannot always be interrupted (name resolution), and a signal that Airflow handles in the
caller's thread must not reach into it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from airflow_oauth_provider.exceptions import OAuthError, TransportError, unexpected
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.tokens.async_single_flight import in_thread
from airflow_oauth_provider.tokens.single_flight import GRACE
from airflow_oauth_provider.tokens.worker_threads import run_in_thread
from airflow_oauth_provider.transport.stopping import Latch, Stop

T = TypeVar("T")


def wait_for(work: Callable[[], T], budget: Budget, stop: Stop, *, doing: str) -> T:
    """Have *work* done, and wait for its end.

    :param stop: ends the wait when the caller's task is being killed.
    :param doing: what goes on, as a noun, for errors.
    :raises OAuthError: what it raised, or that it has not ended in time.
    """
    ended = Latch()
    results: list[T | OAuthError] = []

    def run() -> None:
        results.append(_result_of(work, doing))
        ended.set()

    run_in_thread(run, "oauth2-background")
    if not stop.wait_for(ended, budget.until + GRACE):
        raise _late(budget, doing)
    return _unwrapped(results[0])


async def await_for(work: Callable[[], T], budget: Budget, *, doing: str) -> T:
    """Do what :func:`wait_for` does without blocking the loop."""
    left = budget.left(time.monotonic()) + GRACE
    try:
        result = await asyncio.wait_for(in_thread(lambda: _result_of(work, doing)), left)
    except TimeoutError:
        result = _late(budget, doing)
    return _unwrapped(result)


def _result_of(work: Callable[[], T], doing: str) -> T | OAuthError:
    """Return what it returns, or the error: a value, so that no traceback of this thread goes with it."""
    try:
        return work()
    except OAuthError as error:
        return error.for_connection(error.conn_id or "")
    except Exception as error:  # a defect of ours, or of what a server can make a library do
        return unexpected(error, doing)


def _unwrapped(result: T | OAuthError) -> T:
    if isinstance(result, OAuthError):
        raise result
    return result


def _late(budget: Budget, doing: str) -> TransportError:
    elapsed = time.monotonic() - budget.started.monotonic
    return TransportError(f"{doing} has not ended within {budget.seconds:g} s (max_wait)", elapsed=elapsed)
