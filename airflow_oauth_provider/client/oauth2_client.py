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
from airflow_oauth_provider.client.report import Report, tell_memory_hits
from airflow_oauth_provider.connection.identifier import connection_not_found
from airflow_oauth_provider.connection.resolving import Resolved, resolve
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import InvalidClientError, OAuthError
from airflow_oauth_provider.protocol.settings import ClientSettings, RetrySettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.async_single_flight import Together, acquire_in_loop
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
class _Ask:
    """Acquire a token; answered by it."""

    settings: ClientSettings


_Flow = Generator[_Read | _Ask, Any, AccessToken]
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
        self._reading: Together[ClientSettings] = Together()
        self._acquiring: Together[AccessToken] = Together()
        self._beginning: Together[AccessToken | None] = Together()
        self._read_at: float | None = None
        self._last_read_at = float("-inf")
        self._handed_out: deque[AccessToken] = deque(maxlen=HANDED_OUT)

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
        flow = self._flow(force=force)
        advance: _Advance = flow.__next__
        while True:
            try:
                effect = advance()
            except StopIteration as end:
                granted: AccessToken = end.value
                self._handed_out.append(granted)
                masking.mask_token(granted)
                return granted
            try:
                if isinstance(effect, _Read):
                    advance = partial(flow.send, self._read())
                else:
                    advance = partial(flow.send, self._ask(effect.settings, force=force))
            except InvalidClientError as error:
                advance = partial(flow.throw, error)

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

    async def arenew(self, refused: AccessToken) -> AccessToken:
        """Do what :meth:`renew` does."""
        settings = await self.asettings()
        shared.slot(settings).drop(refused)
        return await self._atogether(refused=refused)

    async def _atogether(self, *, force: bool = False, refused: AccessToken | None = None) -> AccessToken:
        """Let all coroutines that lack a token have it got once."""
        what = force, refused.value if refused else None
        return await self._acquiring.do(what, partial(self._aacquire, force=force, refused=refused))

    async def _aacquire(self, *, force: bool, refused: AccessToken | None) -> AccessToken:
        flow = self._flow(force=force)
        advance: _Advance = flow.__next__
        while True:
            try:
                effect = advance()
            except StopIteration as end:
                granted: AccessToken = end.value
                self._handed_out.append(granted)
                await masking.amask_token(granted)
                return granted
            try:
                if isinstance(effect, _Read):
                    advance = partial(flow.send, await self._reading.do("settings", self._aread))
                else:
                    token = await self._aask(effect.settings, force=force, refused=refused)
                    advance = partial(flow.send, token)
            except InvalidClientError as error:
                advance = partial(flow.throw, error)

    def renew(self, refused: AccessToken | None) -> AccessToken:
        """Return another token than *refused*, which an API did not accept."""
        if refused is not None:
            shared.refuse(self.settings, self._sharing, refused)
        return self.get_token()

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
        return self._ask(replace(settings, retry=limits), force=True)

    def forget(self) -> None:
        """Forget the token, and what is remembered of it."""
        shared.forget(self.settings, self._sharing)

    def confidential(self) -> tuple[str, ...]:
        """Return what may not appear in anything shown: the secrets, and tokens that calls have used."""
        if self._settings is None:
            return ()
        values = [secret.reveal() for secret in self._settings.secrets()]
        values += [token.value for token in self._handed_out]
        if self._slot is not None and (token := self._slot.current()):
            values.append(token.value)
        return tuple(dict.fromkeys(values))

    def __getstate__(self) -> dict[str, Any]:
        """Leave settings and tokens behind: the other process reads the connection itself."""
        return {"conn_id": self.conn_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["conn_id"])  # type: ignore[misc]

    def _flow(self, *, force: bool) -> _Flow:
        """Decide when the connection is read again, and whether a refused credential has changed."""
        settings = self._settings or (yield _Read())
        slot = self._slot = shared.slot(settings)
        if not force and (token := slot.fresh()):
            return token
        if self._read_at is None or time.monotonic() - self._read_at > FRESH_READ:
            settings = yield _Read()
        self._read_at = None  # the next acquisition reads anew
        try:
            token = yield _Ask(settings)
        except InvalidClientError:
            before = token_key(settings)
            settings = yield _Read()
            if token_key(settings) == before:
                raise
            log.info('Connection "%s" has changed meanwhile: trying its new credential', self.conn_id)
            token = yield _Ask(settings)
        granted: AccessToken = token
        return granted

    def _ask(self, settings: ClientSettings, *, force: bool) -> AccessToken:
        report = self._report(settings)
        with self._told(report):
            report.token = shared.acquire(
                settings, self._sharing, force=force, stop=self.stop, trace=report.trace
            )
        return report.token

    async def _aask(
        self, settings: ClientSettings, *, force: bool, refused: AccessToken | None
    ) -> AccessToken:
        report = self._report(settings)
        with self._told(report, in_loop=True):
            report.token = await acquire_in_loop(
                shared, settings, self._sharing, force=force, refused=refused, trace=report.trace
            )
        return report.token

    def _report(self, settings: ClientSettings, *, saved: bool = True) -> Report:
        team = getattr(self._connection, "team", None)
        return Report(self.conn_id, settings, self._sharing, team=team, saved=saved)

    def _tell_hits(self) -> None:
        """Tell of hits not told yet: of the 1st, 2nd, 4th … and then of every 1024th, and before a search."""
        news, self._hits_told = self._hits - self._hits_told, self._hits
        self._tell_hits_at = self._hits + min(max(self._hits, 1), 1024)
        if news and self._settings is not None:
            tell_memory_hits(self.conn_id, self._settings, news)

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
