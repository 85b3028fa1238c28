"""The tokens of one connection: reads it, masks it, and asks the token engine.

Everything here runs on the caller's side; what threads and coroutines have to decide is one flow
(:mod:`airflow_oauth_provider.client.token_flow`), which each drives in its own way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.derived_tokens import DerivedTokens
from airflow_oauth_provider.client.first_token import FirstToken
from airflow_oauth_provider.client.handed_out import HandedOutTokens
from airflow_oauth_provider.client.reading import ConnectionReader
from airflow_oauth_provider.client.reported_acquisitions import ReportedAcquisitions
from airflow_oauth_provider.client.token_flow import Acquire, Read, Refusal, TokenFlow, token_flow
from airflow_oauth_provider.connection.token_parameters import NONE_CHOSEN, TokenParameters
from airflow_oauth_provider.protocol.flows import adrive, drive
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.settings import ClientSettings, RetrySettings
from airflow_oauth_provider.protocol.urls import Origin
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.async_single_flight import AsyncSingleFlight, in_thread
from airflow_oauth_provider.tokens.cached_token import EMPTY
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.search_cost import SearchCost
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.transport.stopping import Stop

TEST_WAIT = 10.0
"""Seconds a person pressing Test waits at the most."""
CHECK_WAIT = 20.0
"""Seconds a scheduled check waits for one token at the most."""


class OAuth2Client(ReportedAcquisitions):
    """The tokens of one connection.

    The connection is read once, and again before a new acquisition and after ``invalid_client``:
    a secret rotated meanwhile is used without a restart.

    :param conn_id: Airflow connection id.
    :param connection: the connection itself, where the caller has it already (commands); it is
        not read again then.
    :param masks: register every form of the secrets with Airflow's masker. Without, only what Airflow
        registers itself: for checks of many connections, since the masker gets slower with each.
    :param parameters: what is asked for instead of what the connection says. Its status is untouched then.

    ``cost`` says what the last search for a token cost; ``reader`` reads the connection, and ``handed_out``
    are the tokens to redact.
    """

    def __init__(
        self,
        conn_id: str,
        connection: Any = None,
        *,
        masks: bool = True,
        parameters: TokenParameters = NONE_CHOSEN,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.cost = SearchCost()
        self.stop = Stop()
        self.reader = ConnectionReader(
            conn_id, connection, masks=masks, parameters=parameters, on_change=self.view.end
        )
        self.derived = DerivedTokens(self.reader)
        self._read_is_used = False  # by an acquisition: the next one reads the connection anew
        self._acquiring: AsyncSingleFlight[AccessToken | None] = AsyncSingleFlight()
        self._first_token = FirstToken(
            self.asettings, self.aget_token, lambda: self.settings.api.instance is not None
        )
        self.handed_out = HandedOutTokens()
        self._last: AccessToken | None = None

    @property
    def settings(self) -> ClientSettings:
        """The connection's settings, read at the first use.

        :raises ConfigurationError: when they are wrong.
        """
        return self.reader.settings or self._read()

    @property
    def may_read(self) -> bool:
        """Whether this thread may call Airflow; who uses a client like this has seen to it."""
        return True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What deserves a warning about the connection as last read."""
        return self.reader.warnings

    @property
    def sharing(self) -> Sharing:
        """How its tokens are shared, as last read."""
        return self.reader.sharing

    def used_with(self, parameters: TokenParameters) -> OAuth2Client:
        """Return a client of the same connection for a use that asks for something else."""
        client = OAuth2Client(self.conn_id, self.reader.connection, parameters=parameters)
        client.handed_out = self.handed_out  # what comes back to the one may show a token of the other
        return client

    def get_token(self, *, force: bool = False) -> AccessToken:
        """Return a token that may be used now.

        :param force: a new one, whatever is held.
        :raises OAuthError: when none can be acquired within ``max_wait``.
        """
        token = None if force else self.held_token()
        if token is not None:
            return token
        return _required(self._run(self._flow(force=force)))

    def read_for_token(self) -> None:
        """Read the connection now, where the next token will: what it says may have changed.

        That token is acquired with what was read, if nobody waits a second for it.

        :raises ConfigurationError: as :meth:`get_token` does.
        """
        if self.reader.settings is not None and self._slot.fresh() is None:
            self._read()

    async def asettings(self) -> ClientSettings:
        """Return the connection's settings, read at the first use without blocking the loop.

        :raises ConfigurationError: when they are wrong.
        """
        return self.reader.settings or await self._aread()

    def recent_settings(self) -> ClientSettings:
        """Return the connection's settings, read within the last second.

        :raises ConfigurationError: when they are wrong.
        """
        settings = self.reader.settings if self.reader.is_recent else None
        return settings or self._read()

    async def arecent_settings(self) -> ClientSettings:
        """Do what :meth:`recent_settings` does without blocking the loop."""
        settings = self.reader.settings if self.reader.is_recent else None
        return settings or await self._aread()

    async def aget_token(self, *, force: bool = False) -> AccessToken:
        """Do what :meth:`get_token` does; a token in memory comes without awaiting anything."""
        token = None if force else self.held_token()
        if token is not None:
            return token
        run = partial(self._arun, force=force)
        return _required(await self._acquiring.do(force, run))

    def afirst_token(self, check: Callable[[], object]) -> Awaitable[AccessToken | None]:
        """Read the connection and get a token, for a thousand callers in one wait.

        :param check: see :meth:`FirstToken.wait`.
        :raises OAuthError: when no token can be acquired.
        """
        return self._first_token.wait(check)

    def renew(self, refused: AccessToken, origin: Origin | None = None) -> AccessToken | None:
        """Return another token than *refused*, which an API did not accept.

        :param origin: of the API.
        :return: ``None`` when this API has refused just this token within the last minute, right after it
            was granted: another would be refused, too.
        :raises OAuthError: when none can be acquired within ``max_wait``.
        """
        return self._run(self._flow(refusal=Refusal(refused, origin)))

    async def arenew(self, refused: AccessToken, origin: Origin | None = None) -> AccessToken | None:
        """Do what :meth:`renew` does, once for all coroutines that met the same refusal."""
        run = partial(self._arun, refusal=Refusal(refused, origin))
        return await self._acquiring.do((refused.value, origin), run)

    def refused_again(self, token: AccessToken, origin: Origin) -> None:
        """Remember that an API refuses a token that was only just granted; see :meth:`renew`."""
        shared.refused_again(self.settings, self.reader.sharing, token, origin)

    async def arefused_again(self, token: AccessToken, origin: Origin) -> None:
        """Do what :meth:`refused_again` does without blocking the loop."""
        settings = await self.asettings()
        await in_thread(partial(shared.refused_again, settings, self.reader.sharing, token, origin))

    def accepted(self, token: AccessToken, origin: Origin) -> None:
        """Note that an API has accepted a token: if it is refused later, another will help."""
        if self._slot is not EMPTY:
            self._slot.accepted_by(origin, token)

    def authorize(self, *, saved: bool = False) -> AccessToken:
        """Get a new token now: at most 10 s, one request, whatever refusals are remembered.

        :param saved: the connection exists under this id; Airflow's Test makes one up.
        """
        settings = self._read()
        limits = RetrySettings(0, min(TEST_WAIT, settings.retry.max_wait))
        report = self._report(settings, saved=saved)
        with self._reported(report):
            report.token = shared.authorize(
                replace(settings, retry=limits), self.reader.sharing, cost=report.cost
            )
        masking.mask_token(report.token)
        self.derived.forget()
        return report.token

    def check(self) -> AccessToken:
        """Get a new token as a scheduled check does: at most 20 s, two requests.

        Remembered refusals hold: a check that comes round must not lock an account. The token is not
        registered with Airflow's masker: the caller shows it to nobody.
        """
        settings = self.settings
        limits = RetrySettings(min(1, settings.retry.max_attempts), min(CHECK_WAIT, settings.retry.max_wait))
        return _required(self._acquire(Acquire(replace(settings, retry=limits), force=True)))

    def forget(self) -> None:
        """Forget the token, and what is remembered of it."""
        shared.forget(self.settings, self.reader.sharing)
        self.derived.forget()

    @property
    def redactor(self) -> Redactor:
        """Removes what may not appear in anything shown: the secrets, and tokens that calls have used."""
        settings = self.reader.settings
        return NOTHING if settings is None else self.handed_out.redactor(settings, self._slot.current())

    def __getstate__(self) -> dict[str, Any]:
        """Leave settings and tokens behind: the other process reads the connection itself."""
        return {"conn_id": self.conn_id, "parameters": self.reader.parameters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["conn_id"], parameters=state["parameters"])  # type: ignore[misc]

    def _flow(self, *, force: bool = False, refusal: Refusal | None = None) -> TokenFlow:
        settings, read_anew = self.reader.settings, self._read_is_used or not self.reader.is_recent
        if settings is not None:
            self._use_slot_of(settings)
        return token_flow(self.conn_id, settings, read_anew=read_anew, force=force, refusal=refusal)

    def _run(self, flow: TokenFlow) -> AccessToken | None:
        before = self.cost
        granted = self._hand_out(drive(flow, self._carry_out))
        if self.cost is before:
            self._note_hit()
        if granted is not None:
            masking.mask_token(granted)
        return granted

    async def _arun(self, *, force: bool = False, refusal: Refusal | None = None) -> AccessToken | None:
        flow, before = self._flow(force=force, refusal=refusal), self.cost
        granted = self._hand_out(await adrive(flow, self._acarry_out))
        if self.cost is before:
            self._note_hit()
        if granted is not None:
            await masking.amask_token(granted)
        return granted

    def _carry_out(self, step: Read | Acquire) -> Any:
        return self._read() if isinstance(step, Read) else self._acquire(step)

    async def _acarry_out(self, step: Read | Acquire) -> Any:
        return await (self._aread() if isinstance(step, Read) else self._aacquire(step))

    def _read(self) -> ClientSettings:
        return self._use(self.reader.read())

    async def _aread(self) -> ClientSettings:
        return self._use(await self.reader.aread())

    def _use(self, settings: ClientSettings) -> ClientSettings:
        self._read_is_used = False
        self._use_slot_of(settings)
        return settings

    def _hand_out(self, token: AccessToken | None) -> AccessToken | None:
        """Remember a token that leaves, for redacting what comes back."""
        if token is not None and token is not self._last:
            self._last = token
            self.handed_out.add(token)
        return token


def _required(token: AccessToken | None) -> AccessToken:
    if token is None:
        raise AssertionError("only a renewal may end without a token")
    return token
