"""The one driver: carries out what a flow of the protocol wants done, by blocking this thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.effects import (
    AskProvider,
    Effect,
    Fetch,
    Flow,
    Outcome,
    ReadAssertion,
    Remember,
    Send,
    Sleep,
)
from airflow_oauth_provider.protocol.http import Failure, HttpResponse
from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.metadata import KnownMetadata
from airflow_oauth_provider.protocol.token.response import Granted
from airflow_oauth_provider.transport import authorization_server
from airflow_oauth_provider.transport.assertion_files import read_assertion
from airflow_oauth_provider.transport.steps import Recording, StepName, recording
from airflow_oauth_provider.transport.stopping import NEVER, Stop

Result = TypeVar("Result")


def no_provider() -> Granted | OAuthError:
    """Stand for the provider of a client that has none."""
    raise ValueError("only auth_method custom has a provider")


class Driver:
    """Runs flows to their end in the calling thread.

    :param network: how servers are reached.
    :param ask_provider: calls the ``custom`` provider.
    :param on_read: is called with each assertion that was read from its file.
    :param on_sleep: is called with each pause before it begins.
    :param remember: keeps metadata for those who come later.
    :param stop: ends every wait soon.

    ``requests`` counts the token requests made so far, those of a provider included.
    """

    def __init__(
        self,
        network: NetworkSettings,
        *,
        ask_provider: Callable[[], Granted | OAuthError] = no_provider,
        on_read: Callable[[Secret], object] = lambda _: None,
        on_sleep: Callable[[Sleep], object] = lambda _: None,
        remember: Callable[[KnownMetadata], object] = lambda _: None,
        stop: Stop = NEVER,
    ) -> None:
        self.requests = 0
        self._network = network
        self._ask_provider = ask_provider
        self._on_read = on_read
        self._on_sleep = on_sleep
        self._remember = remember
        self._stop = stop

    def run(self, flow: Flow[Result]) -> Result:
        """Carry out what *flow* asks for, and return its result.

        An error of this thread ends the flow and is never thrown into it, as :func:`flows.drive` would: being
        stopped is no failure of a server, which a flow may try to make good.

        :raises OAuthError: as the flow does.
        :raises TaskStoppedError: soon after being stopped.
        """
        advance: Callable[[], Effect] = flow.__next__
        while True:
            try:
                effect = advance()
            except StopIteration as end:
                returned: Result = end.value
                return returned
            result = self._carry_out(effect)
            self._stop.check()
            advance = partial(flow.send, Outcome(Moment(time.time(), time.monotonic()), result))

    def _carry_out(self, effect: Effect) -> HttpResponse | Failure | Granted | Secret | OAuthError | None:
        if isinstance(effect, Send):
            self.requests += 1
            with recording(StepName.REQUEST) as step:
                response = authorization_server.post(
                    effect.request, self._network, deadline_at=effect.deadline, stop=self._stop
                )
                return _noted(step, effect.request.url, response)
        if isinstance(effect, Fetch):
            with recording(StepName.DISCOVERY) as step:
                response = authorization_server.fetch(
                    effect.url, self._network, deadline_at=effect.deadline, stop=self._stop
                )
                return _noted(step, effect.url, response)
        if isinstance(effect, ReadAssertion):
            return self._read(effect)
        if isinstance(effect, AskProvider):
            self.requests += 1
            with recording(StepName.PROVIDER) as step:
                granted = self._ask_provider()
                if isinstance(granted, OAuthError):
                    step.fail(granted.message)
                return granted
        if isinstance(effect, Remember):
            self._remember(effect.metadata)
            return None
        self._on_sleep(effect)
        with recording(StepName.PAUSE) as step:
            step.note(f"{effect.seconds:.1f} s before another attempt: {effect.reason.message}")
            self._stop.sleep(max(0.0, effect.seconds))
        return None

    def _read(self, effect: ReadAssertion) -> Secret | OAuthError:
        with recording(StepName.ASSERTION) as step:
            assertion = read_assertion(effect.file, waits=True)
            if isinstance(assertion, OAuthError):
                step.fail(assertion.message)
        if isinstance(assertion, Secret):
            self._on_read(assertion)
        return assertion


def _noted(step: Recording, url: str, response: HttpResponse | Failure) -> HttpResponse | Failure:
    """Say in a step what came back from *url*."""
    if step.observed:
        step.host = urlsplit(url).netloc
        if isinstance(response, Failure):
            step.fail(response.detail)
        else:
            step.note(f"HTTP status {response.status}")
    return response
