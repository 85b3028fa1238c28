"""Whose turn it is: of a session's calls as many are under way as there are connections, and the others wait.

They wait before they ask for their token, and not behind it, at the connector: a call that has waited for
minutes carries a token and a proof that are good when it is sent, and a thousand calls that begin while the
first token is on its way wait once, not twice.

Rules:

* First come, first served.
* A call that waits for something else than a connection and its response (the end of a cool-down) gives its
  turn back, and waits for another one then.
* Who waits no more leaves nothing behind: neither a turn that nobody has nor a place in the queue.
* Those who wait would ask for the same token: when one call can get none, they can get none either, and are
  told so. Else each hundred of them would wait for a failing server in turn.
* An asynchronous iterator whose pieces are uploaded may call the same API: it reads there what it writes.
  Were all connections those of such uploads, each would wait for what only the others can give back. So no
  more than half of them are: the others wait for their place first, before their turn. Of uploads that begin
  within the iterators of others there are half as many again.
"""

from __future__ import annotations

import asyncio
import copy
from collections import OrderedDict
from collections.abc import Awaitable
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.calls.arguments import Timeouts, timeouts
from airflow_oauth_provider.calls.cool_down import LEAST_CALL
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.transport.connectors import CONNECTIONS_PER_HOST
from airflow_oauth_provider.transport.loops import PerLoop

if TYPE_CHECKING:
    from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession

MOST_UPLOADS = CONNECTIONS_PER_HOST // 2
_depth: ContextVar[int] = ContextVar("oauth2_depth_of_upload", default=0)
"""Iterators whose pieces are being uploaded, one within another, of which the innermost runs."""


class Turns:
    """The turns of one session, which one event loop at a time uses.

    :param most: calls under way.
    """

    __slots__ = ("_free", "_waiting")

    def __init__(self, most: int) -> None:
        self._free = most
        # Not a deque, in which all who are cancelled while a hundred calls hang would stay.
        self._waiting: OrderedDict[asyncio.Future[bool], None] = OrderedDict()

    def take(self) -> bool:
        """Take a turn; return whether there is one without waiting."""
        if self._free > 0:
            self._free -= 1
            return True
        return False

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for a turn, and take it.

        :param seconds: ``None`` for as long as it takes.
        :return: whether there was one in time.
        :raises Exception: why there is no token; see :meth:`fail`.
        """
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, _let_go, turn)
        self._waiting[turn] = None
        try:
            return await turn
        except BaseException:  # a cancellation, or the end of a coroutine that its loop has left
            if turn.done() and not turn.cancelled() and turn.exception() is None and turn.result():
                self.give_back()  # it came at the same moment
            raise
        finally:
            self._waiting.pop(turn, None)
            if timer is not None:
                timer.cancel()

    def give_back(self) -> None:
        """End a turn: it is the next one's."""
        waiting = self._waiting
        while waiting:
            turn, _ = waiting.popitem(last=False)
            if not turn.done() and not turn.get_loop().is_closed():
                turn.set_result(True)
                return
        self._free += 1

    def fail(self, error: Exception) -> None:
        """Tell all who wait that there is no token for them.

        :param error: why.
        """
        waiting, self._waiting = self._waiting, OrderedDict()
        for turn in waiting:
            if not turn.done() and not turn.get_loop().is_closed():
                turn.set_exception(copy.copy(error) if isinstance(error, OAuthError) else error)


def _let_go(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)


# Touched only from within its own loop, so it needs no lock.
_uploads: PerLoop[dict[tuple[str, int], Turns]] = PerLoop()


def uploads_of(conn_id: str) -> Turns:
    """Return the places for uploads of a connection that begin here, whichever hook makes them."""
    loop, depth = asyncio.get_running_loop(), _depth.get()
    places = _uploads.get(loop)
    if places is None:
        places = _uploads.keep(loop, {})
    most = max(1, MOST_UPLOADS >> depth)
    return places.get((conn_id, depth)) or places.setdefault((conn_id, depth), Turns(most))


def enter_upload() -> None:
    """Say in the task that writes a request that the caller's iterator runs there."""
    _depth.set(_depth.get() + 1)


class InTurn:
    """A part of a call of coroutines: it waits for its turn."""

    __slots__ = ("_has_turn", "_limits", "_place", "_session")
    _session: OAuth2AsyncSession
    _has_turn: bool
    _place: Turns | None
    """Among the uploads, of which it is one."""
    _limits: Timeouts | None
    """Of a call that has waited: what is left of its own."""

    async def _next_place(self, arguments: dict[str, Any]) -> None:
        """Wait for a place among the uploads."""
        places = uploads_of(self._session.auth.client.conn_id)
        if places.take() or await self._wait_for(places, arguments):
            self._place = places

    def _next_turn(self, endpoint: str | None, arguments: dict[str, Any]) -> Awaitable[bool]:
        """Wait for a turn; return whether there is one.

        The turns are counted per session, connections per host: a call whose address may be of another host
        goes on without.
        """
        if self._session.builder.may_lead_elsewhere(endpoint):
            return _no_turn()
        return self._wait_for(self._session.turns, arguments)

    def _wait_for(self, turns: Turns, arguments: dict[str, Any]) -> Awaitable[bool]:
        if arguments.get("total_timeout") is None:
            return turns.wait()
        try:
            limits = self._limits or timeouts(arguments.get("timeout"), arguments["total_timeout"])
        except ConfigurationError:  # which the builder of the request raises, too
            return _no_turn()
        return self._wait_within(turns, limits)

    async def _wait_within(self, turns: Turns, limits: Timeouts) -> bool:
        """Wait for a turn, but leave some time for the call itself."""
        began, total = monotonic(), limits.total
        patience = None if total is None else max(0.0, total - LEAST_CALL)
        has_turn = await turns.wait(patience)
        self._limits = after_waiting(limits, monotonic() - began)
        return has_turn

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._session.turns.give_back()

    def _end(self) -> None:
        self._end_turn()
        if self._place is not None:
            self._place.give_back()


async def _no_turn() -> bool:
    return False


def after_waiting(limits: Timeouts, waited: float) -> Timeouts:
    """Return what limits leave after seconds of waiting.

    Rounded, so that a thousand calls that have waited about as long share what aiohttp makes of them.
    """
    if limits.total is None:
        return limits
    return limits._replace(total=min(limits.total, max(LEAST_CALL, round(limits.total - waited, 1))))
