"""The tokens of one connection: reads it, masks it, and asks the token engine.

Everything here runs on the caller's side: connections are read and secrets are masked one thread at
a time, since Airflow 3.0 and 3.1 mix up the answers of concurrent callers. What threads and
coroutines have to decide is one flow, which each drives in its own way.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.report import Report, report_memory_hits
from airflow_oauth_provider.connection.identifier import connection_not_found
from airflow_oauth_provider.connection.resolving import Resolved, resolve
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import InvalidClientError, OAuthError
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor, redactor_of
from airflow_oauth_provider.protocol.settings import ClientSettings, RetrySettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.protocol.urls import Origin
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.acquiring import drive
from airflow_oauth_provider.tokens.async_single_flight import AsyncSingleFlight, drive_in_loop, in_thread
from airflow_oauth_provider.tokens.cached_token import Slot
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.search_cost import Trace
from airflow_oauth_provider.tokens.sharing import ALONE
from airflow_oauth_provider.transport.stopping import Stop

log = logging.getLogger(__name__)

FRESH_READ = 1.0
"""Seconds for which a connection that was just read need not be read again."""
TEST_WAIT = 10.0
"""Seconds a person pressing Test waits at the most."""
HANDED_OUT = 32
"""Tokens remembered for redacting: a call that takes long may be answered after they were renewed."""
CHECK_WAIT = 20.0
"""Seconds a scheduled check waits for one token at the most."""


@dataclass(frozen=True)
class _Read:
    """Read the connection; answered by its settings."""


@dataclass(frozen=True)
class _Refusal:
    """A token that an API did not accept.

    :param origin: of the API; ``None`` where it is not known.
    """

    token: AccessToken
    origin: Origin | None


@dataclass(frozen=True)
class _Ask:
    """Acquire a token; answered by it, or by ``None`` where renewing one that was refused cannot help."""

    settings: ClientSettings
    force: bool
    refusal: _Refusal | None


_Flow = Generator[_Read | _Ask, Any, AccessToken | None]
_Advance = Callable[[], _Read | _Ask]


class OAuth2Client:
    """The tokens of one connection.

    The connection is read once, and again before a new acquisition and after ``invalid_client``:
    a secret rotated meanwhile is used without a restart.

    :param conn_id: Airflow connection id.
    :param connection: the connection itself, where the caller has it already (commands); it is
        not read again then.
    :param masks: register every form of the secrets with Airflow's masker. Without, only what Airflow
        registers itself: for checks of many connections, since the masker gets slower with each.

    ``warnings`` are those of the connection as last read, ``trace`` tells what the last search for a
    token cost.
    """

    def __init__(self, conn_id: str, connection: Any = None, *, masks: bool = True) -> None:
        self.conn_id = conn_id
        self._masks = masks
        self._connection = connection
        self._settings: ClientSettings | None = None
        self._slot: Slot | None = None
        self._sharing = ALONE
        self._warned = False
        self.warnings: tuple[str, ...] = ()
        self.trace = Trace()
        # Tokens straight from memory: telling a metrics server of each would take longer than the hit.
        self._hits = self._hits_told = 0
        self._tell_hits_at = 1
        self.stop = Stop()
        self._reading: AsyncSingleFlight[ClientSettings] = AsyncSingleFlight()
        self._acquiring: AsyncSingleFlight[AccessToken | None] = AsyncSingleFlight()
        self._beginning: AsyncSingleFlight[AccessToken | None] = AsyncSingleFlight()
        self._read_at: float | None = None
        self._last_read_at = float("-inf")
        self._handed_out: deque[AccessToken] = deque(maxlen=HANDED_OUT)
        self._redactor: tuple[ClientSettings, dict[str, None], Redactor] | None = None

    @property
    def settings(self) -> ClientSettings:
        """The connection's settings, read at the first use.

        :raises ConfigurationError: when they are wrong.
        """
        return self._settings or self._read()

    @property
    def held_token(self) -> AccessToken | None:
        """The token in memory, while it is not even worth renewing."""
        token = self._slot.fresh() if self._slot is not None else None
        if token is not None:
            if not self._handed_out or self._handed_out[-1] is not token:
                self._handed_out.append(token)
            self._hits += 1
            if self._hits >= self._tell_hits_at:
                self._tell_hits()
        return token

    def get_token(self, *, force: bool = False) -> AccessToken:
        """Return a token that may be used now.

        :param force: a new one, whatever is held.
        :raises OAuthError: when there is none to be had within ``max_wait``.
        """
        token = None if force else self.held_token
        if token is not None:
            return token
        return self._required(self._run(self._flow(force=force)))

    def _run(self, flow: _Flow) -> AccessToken | None:
        """Carry out in this thread what the flow asks for."""
        advance: _Advance = flow.__next__
        while True:
            try:
                effect = advance()
            except StopIteration as end:
                granted: AccessToken | None = end.value
                if granted is not None:
                    self._handed_out.append(granted)
                    masking.mask_token(granted)
                return granted
            try:
                if isinstance(effect, _Read):
                    advance = partial(flow.send, self._read())
                else:
                    advance = partial(flow.send, self._ask(effect))
            except InvalidClientError as error:
                advance = partial(flow.throw, error)

    @staticmethod
    def _required(token: AccessToken | None) -> AccessToken:
        if token is None:
            raise AssertionError("only a renewal may end without a token")
        return token

    async def asettings(self) -> ClientSettings:
        """Return the connection's settings, read at the first use without blocking the loop.

        :raises ConfigurationError: when they are wrong.
        """
        return self._settings or await self._reading.do("settings", self._aread)

    async def arecent_settings(self) -> ClientSettings:
        """Do what :meth:`asettings` does, with settings read within the last second."""
        if self._settings is None or time.monotonic() - self._last_read_at > FRESH_READ:
            return await self._reading.do("settings", self._aread)
        return self._settings

    async def aget_token(self, *, force: bool = False) -> AccessToken:
        """Do what :meth:`get_token` does; a token in memory comes without awaiting anything."""
        return (None if force else self.held_token) or await self._atogether(force=force)

    def afirst_token(self, check: Callable[[], object]) -> Awaitable[AccessToken | None]:
        """Read the connection and get a token, for a thousand callers in one wait.

        :param check: whether the caller's own call may be made; nothing is sent before.
        :return: ``None`` when that check fails, which the caller will find itself.
        :raises OAuthError: when there is no token to be had.
        """
        return self._beginning.do("first", partial(self._afirst_token, check))

    async def _afirst_token(self, check: Callable[[], object]) -> AccessToken | None:
        await self.asettings()
        try:
            check()
        except OAuthError:
            return None
        return await self.aget_token()

    def renew(self, refused: AccessToken, origin: Origin | None = None) -> AccessToken | None:
        """Return another token than *refused*, which an API did not accept.

        :param origin: of the API.
        :return: ``None`` when this API has refused just this token within the last minute, right after it
            was granted: another would be refused, too.
        :raises OAuthError: when there is none to be had within ``max_wait``.
        """
        return self._run(self._flow(refusal=_Refusal(refused, origin)))

    async def arenew(self, refused: AccessToken, origin: Origin | None = None) -> AccessToken | None:
        """Do what :meth:`renew` does, once for all coroutines that met the same refusal."""
        what = refused.value, origin
        renew = partial(self._arun, _Refusal(refused, origin))
        return await self._acquiring.do(what, renew)

    def refused_again(self, token: AccessToken, origin: Origin) -> None:
        """Remember that an API refuses a token that was only just granted; see :meth:`renew`."""
        shared.refused_again(self.settings, self._sharing, token, origin)

    async def arefused_again(self, token: AccessToken, origin: Origin) -> None:
        """Do what :meth:`refused_again` does without blocking the loop."""
        settings = await self.asettings()
        await in_thread(partial(shared.refused_again, settings, self._sharing, token, origin))

    def accepted(self, token: AccessToken, origin: Origin) -> None:
        """Note that an API has accepted a token: if it is refused later, another will help."""
        if self._slot is not None:
            self._slot.accepted_by(origin, token)

    async def _atogether(self, *, force: bool = False) -> AccessToken:
        """Let all coroutines that lack a token have it got once."""
        return self._required(await self._acquiring.do(force, partial(self._arun, None, force=force)))

    async def _arun(self, refusal: _Refusal | None, *, force: bool = False) -> AccessToken | None:
        """Carry out what the flow asks for without blocking the loop."""
        flow = self._flow(force=force, refusal=refusal)
        advance: _Advance = flow.__next__
        while True:
            try:
                effect = advance()
            except StopIteration as end:
                granted: AccessToken | None = end.value
                if granted is not None:
                    self._handed_out.append(granted)
                    await masking.amask_token(granted)
                return granted
            try:
                if isinstance(effect, _Read):
                    advance = partial(flow.send, await self._reading.do("settings", self._aread))
                else:
                    advance = partial(flow.send, await self._aask(effect))
            except InvalidClientError as error:
                advance = partial(flow.throw, error)

    def authorize(self, *, saved: bool = False) -> AccessToken:
        """Get a new token now: at most 10 s, one request, whatever refusals are remembered.

        :param saved: the connection exists under this id; Airflow's Test makes one up.
        """
        settings = self._read()
        limits = RetrySettings(0, min(TEST_WAIT, settings.retry.max_wait))
        report = self._report(settings, saved=saved)
        with self._told(report):
            report.token = shared.authorize(
                replace(settings, retry=limits), self._sharing, trace=report.trace
            )
        masking.mask_token(report.token)
        return report.token

    def check(self) -> AccessToken:
        """Get a new token as a scheduled check does: at most 20 s, two requests.

        Remembered refusals hold: a check that comes round must not lock an account. The token is not
        registered with Airflow's masker: the caller shows it to nobody.
        """
        settings = self.settings
        limits = RetrySettings(min(1, settings.retry.max_attempts), min(CHECK_WAIT, settings.retry.max_wait))
        return self._required(self._ask(_Ask(replace(settings, retry=limits), force=True, refusal=None)))

    def forget(self) -> None:
        """Forget the token, and what is remembered of it."""
        shared.forget(self.settings, self._sharing)

    @property
    def redactor(self) -> Redactor:
        """Removes what may not appear in anything shown: the secrets, and tokens that calls have used."""
        settings = self._settings
        if settings is None:
            return NOTHING
        tokens = {token.value: None for token in self._handed_out}
        if self._slot is not None and (current := self._slot.current()):
            tokens[current.value] = None
        known = self._redactor
        if known is None or known[0] is not settings or known[1] != tokens:
            known = self._redactor = settings, tokens, redactor_of(settings, *tokens)
        return known[2]

    def __getstate__(self) -> dict[str, Any]:
        """Leave settings and tokens behind: the other process reads the connection itself."""
        return {"conn_id": self.conn_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["conn_id"])  # type: ignore[misc]

    def _flow(self, *, force: bool = False, refusal: _Refusal | None = None) -> _Flow:
        """Decide when the connection is read again, and whether a refused credential has changed."""
        settings = self._settings or (yield _Read())
        token = self._held_instead(settings, force=force, refusal=refusal)
        if token is not None:
            return token
        if self._read_at is None or time.monotonic() - self._read_at > FRESH_READ:
            settings = yield _Read()
        self._read_at = None  # the next acquisition reads anew
        try:
            token = yield _Ask(settings, force, refusal)
        except InvalidClientError:
            before = token_key(settings)
            settings = yield _Read()
            if token_key(settings) == before:
                raise
            log.info('Connection "%s" has changed meanwhile: trying its new credential', self.conn_id)
            token = yield _Ask(settings, force, refusal)
        granted: AccessToken | None = token
        return granted

    def _held_instead(
        self, settings: ClientSettings, *, force: bool, refusal: _Refusal | None
    ) -> AccessToken | None:
        """Return the token in memory where it serves: fresh, and another than a refused one."""
        slot = self._slot = shared.slot(settings)
        token = None if force else slot.fresh()
        if token is None or refusal is None:
            return token
        if token.value == refusal.token.value:
            return None
        with slot.lock:
            slot.refuse(refusal.token)
        return token

    def _ask(self, ask: _Ask) -> AccessToken | None:
        report = self._report(ask.settings)
        with self._told(report):
            report.token = drive(self._acquiring_flow(ask, report))
        return report.token

    async def _aask(self, ask: _Ask) -> AccessToken | None:
        report = self._report(ask.settings)
        with self._told(report, in_loop=True):
            report.token = await drive_in_loop(self._acquiring_flow(ask, report, in_loop=True))
        return report.token

    def _acquiring_flow(self, ask: _Ask, report: Report, *, in_loop: bool = False) -> Any:
        stop, trace = self.stop, report.trace
        if ask.refusal is not None:
            token, origin = ask.refusal.token, ask.refusal.origin
            return shared.renewing(ask.settings, self._sharing, token, origin, stop=stop, trace=trace)
        return shared.acquiring(
            ask.settings, self._sharing, force=ask.force, look_up=not in_loop, stop=stop, trace=trace
        )

    def _report(self, settings: ClientSettings, *, saved: bool = True) -> Report:
        team = getattr(self._connection, "team", None)
        return Report(self.conn_id, settings, self._sharing, team=team, saved=saved)

    def _tell_hits(self) -> None:
        """Tell of hits not told yet: of the 1st, 2nd, 4th … and then of every 1024th, and before a search."""
        news, self._hits_told = self._hits - self._hits_told, self._hits
        self._tell_hits_at = self._hits + min(max(self._hits, 1), 1024)
        if news and self._settings is not None:
            report_memory_hits(self.conn_id, self._settings, news)

    @contextmanager
    def _told(self, report: Report, *, in_loop: bool = False) -> Iterator[None]:
        """Name the connection in errors, and tell of the outcome, whichever it is."""
        self.trace = report.trace
        try:
            yield
        except OAuthError as error:
            report.error = error
            raise error.for_connection(self.conn_id) from None
        finally:
            self._tell_hits()
            if in_loop:
                report.end_in_loop()
            else:
                report.end()

    def _read(self) -> ClientSettings:
        with masking.airflow_channel:
            policy = read_policy()
            resolved = resolve(self._connection or _get_connection(self.conn_id), policy)
            if self._masks:
                masking.mask_settings(resolved.settings)
        return self._taken(resolved, policy)

    async def _aread(self) -> ClientSettings:
        policy = read_policy()
        resolved = resolve(self._connection or await _aget_connection(self.conn_id), policy)
        await masking.amask_settings(resolved.settings)
        return self._taken(resolved, policy)

    def _taken(self, resolved: Resolved, policy: Policy) -> ClientSettings:
        self.warnings = resolved.warnings
        if not self._warned:
            self._warned = True
            for warning in resolved.warnings:
                log.warning('Connection "%s": %s', self.conn_id, warning)
        self._read_at = self._last_read_at = time.monotonic()
        self._sharing = policy.sharing
        if self._settings != resolved.settings:  # else all that hangs on the same object stays as it is
            self._settings = resolved.settings
        self._slot = shared.slot(self._settings)
        return self._settings


def _get_connection(conn_id: str) -> Any:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise connection_not_found(conn_id) from None


async def _aget_connection(conn_id: str) -> Any:
    from airflow.providers.common.compat.connection import get_async_connection
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        return await get_async_connection(conn_id)
    except AirflowNotFoundException:
        raise connection_not_found(conn_id) from None
