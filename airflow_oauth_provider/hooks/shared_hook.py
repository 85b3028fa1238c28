"""Hooks that the coroutines of one event loop share.

A triggerer runs a thousand deferred tasks in one loop, each with a trigger of its own. With a hook each,
the connection would be read through the one channel to the supervisor, checked and masked a thousand
times, and as many sessions opened, for calls that differ in nothing but their endpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from airflow_oauth_provider.connection.token_parameters import NONE_CHOSEN, TokenParameters
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.transport.loops import PerLoop

TOTAL_TIMEOUT = 600.0
"""Seconds for a whole call of a trigger, where it does not say: no server holds a triggerer up for ever."""
_Key = tuple[str, str, str | None, TokenParameters]
# Touched only from within its own loop, so it needs no lock. A triggerer serves one team, so within it
# a connection id means one connection.
_hooks: PerLoop[dict[_Key, _Shared]] = PerLoop()


class _Shared:
    """A hook, and how many use it."""

    __slots__ = ("hook", "users")

    def __init__(self, key: _Key) -> None:
        conn_id, method, base_url, parameters = key
        self.hook = OAuth2Hook(conn_id, method, base_url=base_url, **vars(parameters))
        self.hook.keeps_cookies = False  # those of one task are no other task's business
        self.hook.total_timeout = TOTAL_TIMEOUT
        self.hook.deferred = True
        self.users = 0


@asynccontextmanager
async def shared_hook(
    conn_id: str, method: str, base_url: str | None, parameters: TokenParameters = NONE_CHOSEN
) -> AsyncIterator[OAuth2Hook]:
    """Use the running loop's hook for a connection; the last one to leave closes it.

    The connection is read again where that was done more than a second ago.

    :param base_url: of the API, as of :class:`OAuth2Hook`.
    :param parameters: of the token; each set of them has a hook of its own.
    :raises ConfigurationError: when the connection is wrong; as :meth:`OAuth2Hook.get_token` does.
    """
    loop = asyncio.get_running_loop()
    hooks = _hooks.get(loop)
    if hooks is None:
        hooks = _hooks.keep(loop, {})
    key = conn_id, method, base_url, parameters
    shared = hooks.get(key)
    if shared is None:
        shared = hooks[key] = _Shared(key)
    shared.users += 1
    try:
        await shared.hook.aread()
        shared.hook.note_task()
        yield shared.hook
    finally:
        shared.users -= 1
        if not shared.users:
            if hooks.get(key) is shared:
                del hooks[key]
            await shared.hook.aclose()
