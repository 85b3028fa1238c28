"""Tokens for coroutines: one thread per key and event loop, however many of them wait.

Never the loop's shared executor: there one slow authorization server would hold up everybody.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.manager import TokenManager
from airflow_oauth_provider.tokens.search_cost import Trace
from airflow_oauth_provider.tokens.sharing import Sharing

T = TypeVar("T")
_Pending = dict[tuple[str, bool, str | None], "asyncio.Future[AccessToken]"]
# Touched only from within its own loop, so it needs no lock.
_pending: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pending] = WeakKeyDictionary()


class Together(Generic[T]):
    """Coroutines that need the same thing have it done once, by a task of their loop.

    A coroutine that is cancelled leaves the others alone; the task ends with the last of them.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Work[T]] = {}

    async def do(self, what: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do *work*, or wait for the one who does it already.

        :param what: tells one work from another.
        :raises Exception: what the work raised; of an ``OAuthError`` a copy for each.
        """
        loop = asyncio.get_running_loop()
        key = loop, what
        found = self._under_way.get(key)
        if found is None:
            found = self._under_way[key] = _Work(loop.create_task(work()))
            found.task.add_done_callback(lambda _: self._end(key, found))
        # A future each costs a third of what asyncio.shield() does, with a thousand of them waiting.
        future: asyncio.Future[T] = loop.create_future()
        found.waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            found.gone += 1
            if found.gone == len(found.waiting) and not found.task.done():
                self._under_way.pop(key, None)
                found.task.cancel()
            raise

    def _end(self, key: Hashable, work: _Work[T]) -> None:
        if self._under_way.get(key) is work:
            del self._under_way[key]
        task = work.task
        error = None if task.cancelled() else task.exception()
        for future in work.waiting:
            if future.done():
                continue
            if task.cancelled():
                future.cancel()
            elif error is not None:
                # Of ours each gets a copy; foreign ones need not be made for copying.
                future.set_exception(copy.copy(error) if isinstance(error, OAuthError) else error)
            else:
                future.set_result(task.result())


class _Work(Generic[T]):
    """A task, those who wait for it, and how many of them have gone."""

    __slots__ = ("gone", "task", "waiting")

    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting: list[asyncio.Future[T]] = []
        self.gone = 0


async def acquire_in_loop(
    manager: TokenManager,
    settings: ClientSettings,
    sharing: Sharing,
    *,
    force: bool = False,
    refused: AccessToken | None = None,
    trace: Trace | None = None,
) -> AccessToken:
    """Do what ``manager.acquire`` does without blocking the loop.

    A coroutine that is cancelled leaves the others, and the acquisition, alone.

    :param refused: a token to be taken out of use before, since an API did not accept it.
    :param trace: of the coroutine that began it is told what it cost.
    :raises OAuthError: a copy for each caller.
    """
    loop = asyncio.get_running_loop()
    pending = _pending.setdefault(loop, {})
    key = token_key(settings), force, refused.value if refused else None
    future = pending.get(key)
    trace = trace or Trace()
    if future is not None:
        trace.searched(0, own=False)
    else:
        future = pending[key] = loop.create_future()
        future.add_done_callback(lambda done: _forget(pending, key, done))
        threading.Thread(
            target=_acquire,
            args=(loop, future, manager, settings, sharing, force, refused, trace),
            name="oauth2-for-coroutines",
            daemon=True,
        ).start()
    try:
        return await asyncio.shield(future)
    except OAuthError as error:
        raise error.for_connection(error.conn_id or "") from None


def _acquire(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[AccessToken],
    manager: TokenManager,
    settings: ClientSettings,
    sharing: Sharing,
    force: bool,
    refused: AccessToken | None,
    trace: Trace,
) -> None:
    try:
        if refused is not None:
            manager.refuse(settings, sharing, refused)
        token: Any = manager.acquire(settings, sharing, force=force, trace=trace)
        tell, result = future.set_result, token
    except BaseException as error:  # handed over, whatever it is: somebody waits for it
        tell, result = future.set_exception, error  # type: ignore[assignment]
    try:
        loop.call_soon_threadsafe(tell, result)
    except RuntimeError:
        return  # the loop has been closed meanwhile: nobody waits any more


def _forget(pending: _Pending, key: Hashable, done: asyncio.Future[AccessToken]) -> None:
    pending.pop(key, None)  # type: ignore[call-overload]
    if not done.cancelled():
        done.exception()  # looked at, so that asyncio does not complain if all waiters are gone
