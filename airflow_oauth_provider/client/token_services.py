"""Introspection and revocation of one connection's tokens, and of others.

What has to be done is one flow; threads and coroutines carry out its steps, each in its own way.
"""

from __future__ import annotations

import logging
import os
import random
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.handed_out import own_error
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.client.server_endpoints import discovered_url, given_url, require_authentication
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.effects import Sleep
from airflow_oauth_provider.protocol.flows import adrive, drive
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.endpoint import Endpoint
from airflow_oauth_provider.protocol.token.exchange import Exchange, Message
from airflow_oauth_provider.protocol.token.introspection import INTROSPECTION, Introspection, introspection
from airflow_oauth_provider.protocol.token.revocation import REVOCATION, revocation
from airflow_oauth_provider.protocol.urls import Url, host_allowed
from airflow_oauth_provider.tokens.background import await_for, wait_for
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.endpoint_refusals import EndpointRefusals
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.transport.driver import Driver

log = logging.getLogger(__name__)

Result = TypeVar("Result")
_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}\Z")
_UNKNOWN = 0.0
"""When a token was issued, and ends, that is not one of ours."""
_STILL_GOOD = "nothing here uses the token any more, but it may stay good until it ends"


@dataclass(frozen=True)
class _Read:
    """Read the connection and what ``airflow.cfg`` allows; the outcome is both."""


@dataclass(frozen=True)
class _GetToken:
    """Get the token that tasks would use now; the outcome is the token."""


@dataclass(frozen=True)
class _Mask:
    """Register a token with Airflow's masker."""

    token: AccessToken


@dataclass(frozen=True)
class _Work:
    """Carry out what may block; the outcome is its result.

    :param doing: what it is, as a noun.
    """

    function: Callable[[], Any]
    budget: Budget
    doing: str


_Step = _Read | _GetToken | _Mask | _Work
_Flow = Generator[_Step, Any, Result]


class TokenServices:
    """Asks one connection's server about tokens, and has it revoke them.

    :param client: of the connection.
    """

    def __init__(self, client: OAuth2Client) -> None:
        self._client = client

    def introspect(self, token: AccessToken | None, endpoint: str | None) -> Introspection:
        """Ask the authorization server about a token; see :meth:`OAuth2Hook.introspect`."""
        return self._run(self._introspecting(token, endpoint))

    async def aintrospect(self, token: AccessToken | None, endpoint: str | None) -> Introspection:
        """Do what :meth:`introspect` does without blocking the loop."""
        return await self._arun(self._introspecting(token, endpoint))

    def revoke(self, token: AccessToken | None, endpoint: str | None) -> bool:
        """Revoke a token; see :meth:`OAuth2Hook.revoke`."""
        return self._run(self._revoking(token, endpoint))

    async def arevoke(self, token: AccessToken | None, endpoint: str | None) -> bool:
        """Do what :meth:`revoke` does without blocking the loop."""
        return await self._arun(self._revoking(token, endpoint))

    def _introspecting(self, token: AccessToken | None, endpoint: str | None) -> _Flow[Introspection]:
        settings, policy = yield _Read()
        url = yield from self._locating(settings, policy, endpoint, INTROSPECTION)
        token = (yield _GetToken()) if token is None else _checked(token)
        yield _Mask(token)
        message = introspection(settings, url, Secret(token.value), entropy=os.urandom)
        own = _is_own(settings, url, endpoint)
        result: Introspection = yield self._sending(settings, policy, url, message, own=own)
        # Asked about another's token, the server may tell of ours.
        redacted: Introspection = self._client.redactor.value(result)
        return redacted

    def _revoking(self, token: AccessToken | None, endpoint: str | None) -> _Flow[bool]:
        settings, policy = yield _Read()
        url = yield from self._locating(settings, policy, endpoint, REVOCATION)
        if token is not None:
            token = _checked(token)
        budget = _budget(settings)
        kept = yield _Work(partial(shared.kept, settings, policy.sharing), budget, "looking for the token")
        to_revoke = kept if token is None else (_as_kept(token, kept),)
        for known in to_revoke:
            yield _Mask(known)
            # Before the call: nobody shall use it any more, also where the server does not answer.
            withdraw = partial(shared.withdraw, settings, policy.sharing, known)
            yield _Work(withdraw, budget, "removing the token")
        if token is None:
            yield _Work(self._client.derived.forget, budget, "removing tokens of other parameters")
        failures, own = [], _is_own(settings, url, endpoint)
        for known in to_revoke:
            try:
                message = revocation(settings, url, Secret(known.value), entropy=os.urandom)
                yield self._sending(settings, policy, url, message, own=own)
            except OAuthError as error:
                failures.append(error)
        if failures:
            advice = "; ".join(filter(None, (failures[0].advice, _STILL_GOOD)))
            raise failures[0].with_advice(advice)
        return bool(to_revoke)

    def _locating(
        self, settings: ClientSettings, policy: Policy, address: str | None, endpoint: Endpoint
    ) -> _Flow[Url]:
        """Return the address that is given, else the one that the issuer's metadata names."""
        require_authentication(settings, endpoint)
        if address is not None:
            return given_url(settings, policy, address, endpoint)
        budget = _budget(settings)
        discover = partial(discovered_url, settings, policy.sharing, endpoint, budget, stop=self._client.stop)
        url: Url = yield _Work(discover, budget, "discovery")
        return url

    def _sending(
        self, settings: ClientSettings, policy: Policy, url: Url, message: Message[Any], *, own: bool
    ) -> _Work:
        budget = _budget(settings)
        network = replace(settings.network, token_host_listed=host_allowed(url.origin, policy.token_hosts))
        refusals = EndpointRefusals(settings, policy.sharing, message.endpoint, url, own=own)
        driver = Driver(network, on_read=refusals.note_assertion, on_sleep=_log_pause, stop=self._client.stop)

        def ask() -> Any:
            exchange = Exchange(settings, message, this_moment(), budget, random.random)
            return driver.run(exchange.run())

        return _Work(lambda: refusals.asked(ask, budget, self._client.stop), budget, message.endpoint.request)

    def _run(self, flow: _Flow[Result]) -> Result:
        """Carry out the steps in this thread."""
        try:
            return drive(flow, self._carry_out)
        except OAuthError as error:
            named = own_error(error, self._client.conn_id, self._client.redactor)
        raise named

    async def _arun(self, flow: _Flow[Result]) -> Result:
        """Carry out the steps without blocking the loop."""
        try:
            return await adrive(flow, self._acarry_out)
        except OAuthError as error:
            named = own_error(error, self._client.conn_id, self._client.redactor)
        raise named

    def _carry_out(self, step: _Step) -> Any:
        if isinstance(step, _Read):
            with masking.airflow_channel:
                policy = read_policy()
            settings = self._client.recent_settings()
            return settings, policy.for_client(settings)
        if isinstance(step, _GetToken):
            return self._client.get_token()
        if isinstance(step, _Mask):
            return masking.mask_token(step.token)
        return wait_for(step.function, step.budget, self._client.stop, doing=step.doing)

    async def _acarry_out(self, step: _Step) -> Any:
        if isinstance(step, _Read):
            policy, settings = read_policy(), await self._client.arecent_settings()
            return settings, policy.for_client(settings)
        if isinstance(step, _GetToken):
            return await self._client.aget_token()
        if isinstance(step, _Mask):
            return await masking.amask_token(step.token)
        return await await_for(step.function, step.budget, doing=step.doing)


def presented(token: AccessToken | str | None) -> AccessToken | None:
    """Return the token that a caller hands in as one that does not show itself.

    It refuses nothing: the frames of an error would show the text.
    """
    return AccessToken(token, "Bearer", _UNKNOWN, _UNKNOWN) if isinstance(token, str) else token


def _checked(token: AccessToken) -> AccessToken:
    if (
        not isinstance(token, AccessToken)
        or not isinstance(token.value, str)
        or not _TOKEN.match(token.value)
    ):
        raise ConfigurationError(
            'must be an AccessToken, or a token\'s text without "Bearer", spaces and characters beyond ASCII',
            field="token",
        )
    return token


def _is_own(settings: ClientSettings, url: Url, address: str | None) -> bool:
    """Whether an endpoint is the authorization server's: the issuer names it, or it is where tokens are."""
    return address is None or url.origin == settings.server.origin


def _as_kept(token: AccessToken, kept: tuple[AccessToken, ...]) -> AccessToken:
    """Return a token with what is known of it here: the time of issue says which others are older."""
    return next((known for known in kept if known.value == token.value), token)


def _budget(settings: ClientSettings) -> Budget:
    return Budget.of(this_moment(), settings.retry.max_wait)


def _log_pause(sleep: Sleep) -> None:
    log.warning("%s. Trying again in %.1f s", sleep.reason.message, sleep.seconds)
