"""Tokens for coroutines: one thread per key and event loop, however many of them wait.

Never the loop's shared executor: there one slow authorization server would hold up everybody.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.fingerprint import token_key
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token import AccessToken
from airflow_oauth_provider.tokens.manager import TokenManager
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.trace import Trace

_Pending = dict[tuple[str, bool], "asyncio.Future[AccessToken]"]
# Touched only from within its own loop, so it needs no lock.
_pending: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pending] = WeakKeyDictionary()


async def acquire_in_loop(
    manager: TokenManager,
    settings: ClientSettings,
    sharing: Sharing,
    *,
    force: bool,
    trace: Trace | None = None,
) -> AccessToken:
    """Do what ``manager.acquire`` does without blocking the loop.

    A coroutine that is cancelled leaves the others, and the acquisition, alone.

    :param trace: of the coroutine that began it is told what it cost.
    :raises OAuthError: a copy for each caller.
    """
    loop = asyncio.get_running_loop()
    pending = _pending.setdefault(loop, {})
    key = token_key(settings), force
    future = pending.get(key)
    trace = trace or Trace()
    if future is not None:
        trace.searched(0, own=False)
    else:
        future = pending[key] = loop.create_future()
        future.add_done_callback(lambda done: _forget(pending, key, done))
        threading.Thread(
            target=_acquire,
            args=(loop, future, partial(manager.acquire, settings, sharing, force=force, trace=trace)),
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
    acquire: Callable[[], AccessToken],
) -> None:
    try:
        token: Any = acquire()
        tell, result = future.set_result, token
    except Exception as error:  # handed over, whatever it is
        tell, result = future.set_exception, error  # type: ignore[assignment]
    try:
        loop.call_soon_threadsafe(tell, result)
    except RuntimeError:
        return  # the loop has been closed meanwhile: nobody waits any more


def _forget(pending: _Pending, key: tuple[str, bool], done: asyncio.Future[AccessToken]) -> None:
    pending.pop(key, None)
    if not done.cancelled():
        done.exception()  # looked at, so that asyncio does not complain if all waiters are gone
