"""Single flight for coroutines: of one event loop, and of the flights that threads know too.

Never the loop's shared executor: there one slow authorization server would hold up everybody.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.tokens.acquiring import WaitFor, Work
from airflow_oauth_provider.tokens.single_flight import GRACE, Flight
from airflow_oauth_provider.tokens.worker_threads import run_in_thread

T = TypeVar("T")


class AsyncSingleFlight(Generic[T]):
    """Coroutines that need the same thing have it done once, by a task of their loop.

    A coroutine that is cancelled leaves the others alone; the task ends with the last of them.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Work[T]] = {}

    def do(
        self, what: Hashable, work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any
    ) -> asyncio.Future[T]:
        """Do *work*, or wait for the coroutine that does it already.

        :param what: identifies the work.
        :param arguments: of the work.
        :return: what to await: a future each, which costs a third of what ``asyncio.shield()`` does, and
            less than a coroutine, with a thousand of them waiting.
        :raises Exception: when awaited, what the work raised; of an ``OAuthError`` a copy for each.
        """
        loop = asyncio.get_running_loop()
        key = loop, what
        current = self._under_way.get(key)
        if current is None:
            task = loop.create_task(work(*arguments))
            current = self._under_way[key] = _Work(task, self._under_way, key)
            task.add_done_callback(current.end)
        waiter: _Waiter[T] = _Waiter(loop=loop)
        waiter.work = current
        current.waiting.append(waiter)
        return waiter


class _Work(Generic[T]):
    """A task, and those who wait for it."""

    __slots__ = ("_cancelled", "_key", "_task", "_under_way", "waiting")

    def __init__(self, task: asyncio.Task[T], under_way: dict[Hashable, _Work[T]], key: Hashable) -> None:
        self._task = task
        self._under_way = under_way
        self._key = key
        self._cancelled = 0
        self.waiting: list[_Waiter[T]] = []

    def leave(self) -> None:
        """Note that one of those who wait was cancelled: nobody needs the work once all were."""
        self._cancelled += 1
        if self._cancelled == len(self.waiting):
            self._forget()
            self._task.cancel()

    def end(self, task: asyncio.Task[T]) -> None:
        """Hand the outcome to all who wait."""
        self._forget()
        error = None if task.cancelled() else task.exception()
        for waiter in self.waiting:
            if waiter.done():
                continue
            if task.cancelled():
                waiter.cancel()
            elif error is not None:
                waiter.set_exception(_for_one(error))
            else:
                waiter.set_result(task.result())

    def _forget(self) -> None:
        if self._under_way.get(self._key) is self:
            del self._under_way[self._key]


def _for_one(error: BaseException) -> BaseException:
    """Return a copy of an error of ours for one of those who wait; foreign ones may not bear copying."""
    if isinstance(error, OAuthError):
        with suppress(Exception):  # of a class that is derived from ours
            return copy.copy(error)
    return error


class _Waiter(asyncio.Future[T]):
    """What one coroutine awaits."""

    work: _Work[T]

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it, as the task does that awaits it."""
        cancelled = super().cancel(msg)
        if cancelled:
            self.work.leave()
        return cancelled


async def acarry_out(effect: WaitFor | Work) -> Any:
    """Do what ``acquiring.carry_out`` does without blocking the running loop."""
    if isinstance(effect, Work):
        return await in_thread(effect.function)
    return await _wait_for(effect.flight, effect.until)


async def _wait_for(flight: Flight, until: float) -> Any:
    """Wait for a flight's token: no thread waits, the flight wakes the loop itself."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    flight.add_done_callback(lambda: _deliver(loop, ended, None, None))
    await asyncio.wait([ended], timeout=until + GRACE - time.monotonic())
    return flight.result()


async def in_thread(function: Callable[[], T]) -> T:
    """Carry out what may block, in a thread of its own.

    :raises Exception: what it raised.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result, error = function(), None
        except BaseException as raised:  # of any kind is handed over: a coroutine waits for it
            result, error = None, raised
        _deliver(loop, future, result, error)

    run_in_thread(run, "oauth2-for-coroutines")
    return await future


def _deliver(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    def deliver() -> None:
        if future.done():  # its coroutine has been cancelled
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    try:
        loop.call_soon_threadsafe(deliver)
    except RuntimeError:
        return  # the loop has been closed meanwhile: nobody waits any more
