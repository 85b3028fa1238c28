"""A call and the cool-down of its API: waits for its end, and hears of another, in threads and coroutines."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.calls.arguments import DEFAULT_LIMITS, Timeouts
from airflow_oauth_provider.calls.options import COOL_DOWN, FAIL, IGNORE
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.cool_down import not_sent, wait_for_end
from airflow_oauth_provider.protocol.call.effects import (
    CoolDown,
    LookUpCoolDown,
    Pause,
    ReportCoolDown,
    SendCall,
)
from airflow_oauth_provider.protocol.call.excerpts import url_excerpt
from airflow_oauth_provider.protocol.flows import adrive, drive
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens.async_single_flight import AsyncSingleFlight, in_thread
from airflow_oauth_provider.tokens.cool_downs import CoolDowns

if TYPE_CHECKING:
    from airflow_oauth_provider.calls.access import BearerAuth
    from airflow_oauth_provider.tokens import AccessToken

log = logging.getLogger(__name__)

LEAST_CALL = 1.0
"""Seconds that a total limit must leave for the call itself."""
_WORTH_A_LINE = 0.5
"""Seconds of the shortest wait that is logged."""
_looks: AsyncSingleFlight[None] = AsyncSingleFlight()


def longest_wait(choice: object, limits: Timeouts, *, deferred: bool = False) -> float | None:
    """Return for how many seconds a call waits; ``None`` for as long as it takes.

    :param choice: the ``cool_down`` of the call's options.
    :param limits: of the call.
    :param deferred: no worker waits, so that only the limit of the whole call counts.
    :raises ConfigurationError: for a choice that there is not.
    """
    if choice == FAIL:
        return 0.0
    require_choice(choice)
    bounds = [] if deferred else [limits.read]
    bounds += [None if limits.total is None else max(0.0, limits.total - LEAST_CALL)]
    return min((bound for bound in bounds if bound is not None), default=None)


def require_choice(choice: object, conn_id: str | None = None) -> None:
    """Refuse a choice that there is not.

    :raises ConfigurationError: then.
    """
    if choice is not None and choice not in COOL_DOWN:
        message = f"must be one of {', '.join(COOL_DOWN)}"
        raise ConfigurationError(message, field="cool_down", conn_id=conn_id)


class _Waiting:
    """A call that waits.

    :param most: as of ``wait_for_end``.
    :param before_pause: called before each pause.
    """

    def __init__(
        self,
        auth: BearerAuth,
        call: SendCall,
        most: float | None,
        before_pause: Callable[[], None] | None = None,
    ) -> None:
        self.auth = auth
        self._before_pause = before_pause
        self.call = call
        self.cool_downs: CoolDowns = auth.cool_downs
        origin = parse_url(call.url.partition("#")[0]).origin
        self.flow = wait_for_end(origin, most, random.random)
        self.waited = 0.0

    def known(self, step: LookUpCoolDown) -> CoolDown | None:
        cool_down = self.cool_downs.standing(step.origin)
        self.cool_downs.board.settle()
        return cool_down

    def note(self, step: Pause) -> None:
        if self._before_pause is not None:
            self._before_pause()
        if not self.waited and step.seconds >= _WORTH_A_LINE:
            host = parse_url(self.call.url.partition("#")[0]).origin.authority
            log.info(
                "%s has asked all callers to stay away (HTTP status %d): waiting %.1f s",
                host,
                step.cool_down.status,
                step.seconds,
            )
        self.waited += step.seconds

    def concluded(self, standing: CoolDown | None) -> float:
        if standing is None:
            return self.waited
        redactor = self.auth.client.redactor
        error = not_sent(standing, self.call.method, url_excerpt(self.call.url, redactor))
        raise error.for_connection(self.auth.client.conn_id)


def token_when_cool(
    auth: BearerAuth,
    call: SendCall,
    headers: Mapping[str, Any],
    choice: str | None = None,
    limits: Timeouts = DEFAULT_LIMITS,
) -> AccessToken:
    """Return the token that a call may carry now, once its API may be called.

    :param headers: of the request.
    :param choice: as of :func:`longest_wait`, like *limits*; or ``ignore``.
    :raises OAuthError: as ``BearerAuth.token_for`` and :func:`wait` do.
    """
    token = auth.token_for(call.url, headers)
    if monotonic() < auth.cool_downs.board.quiet_until or choice == IGNORE:
        return token
    waited = wait(auth, call, longest_wait(choice, limits))
    return auth.token_for(call.url, headers) if waited else token  # it may have ended meanwhile


async def atoken_when_cool(
    auth: BearerAuth,
    call: SendCall,
    headers: Mapping[str, Any],
    choice: str | None = None,
    limits: Timeouts = DEFAULT_LIMITS,
) -> AccessToken:
    """Do what :func:`token_when_cool` does without blocking the loop."""
    token = await auth.atoken_for(call.url, headers)
    if monotonic() < auth.cool_downs.board.quiet_until or choice == IGNORE:
        return token
    waited = await await_end(auth, call, longest_wait(choice, limits))
    return await auth.atoken_for(call.url, headers) if waited else token


def wait(auth: BearerAuth, call: SendCall, most: float | None) -> float:
    """Wait until the API of a call may be called.

    :param most: seconds, as of :func:`longest_wait`.
    :return: the seconds waited.
    :raises ResourceError: when the API's cool-down lasts longer; nothing was sent.
    :raises TaskStoppedError: soon after the task has been told to stop.
    """
    waiting = _Waiting(auth, call, most)
    return waiting.concluded(drive(waiting.flow, partial(_carry_out, waiting)))


async def await_end(
    auth: BearerAuth, call: SendCall, most: float | None, before_pause: Callable[[], None] | None = None
) -> float:
    """Do what :func:`wait` does without blocking the loop.

    :param before_pause: called before each pause: a call that need not wait gives nothing up.
    """
    waiting = _Waiting(auth, call, most, before_pause)
    return waiting.concluded(await adrive(waiting.flow, partial(_acarry_out, waiting)))


def _carry_out(waiting: _Waiting, step: LookUpCoolDown | Pause) -> Any:
    if isinstance(step, Pause):
        waiting.note(step)
        return waiting.auth.client.stop.sleep(step.seconds)
    waiting.cool_downs.look()
    return waiting.known(step)


async def _acarry_out(waiting: _Waiting, step: LookUpCoolDown | Pause) -> Any:
    if isinstance(step, Pause):
        waiting.note(step)
        return await asyncio.sleep(step.seconds)
    cool_downs = waiting.cool_downs
    if cool_downs.board.is_due():
        await _looks.do(cool_downs.board, lambda: in_thread(cool_downs.look))
    return waiting.known(step)


def report(auth: BearerAuth, effect: ReportCoolDown) -> None:
    """Let all callers of this credential know of a cool-down."""
    cool_downs = auth.cool_downs
    cool_downs.heard(effect.origin, effect.status, effect.seconds)
    cool_downs.publish()


async def areport(auth: BearerAuth, effect: ReportCoolDown) -> None:
    """Do what :func:`report` does without blocking the loop."""
    cool_downs = auth.cool_downs
    cool_downs.heard(effect.origin, effect.status, effect.seconds)
    if cool_downs.board.wants_writing():
        await in_thread(cool_downs.publish)
