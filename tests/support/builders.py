"""Short ways to build what the core works on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.configured_server import TokenEndpoint
from airflow_oauth_provider.protocol.effects import AskProvider, Outcome, ReadAssertion, Send, Sleep
from airflow_oauth_provider.protocol.http import Failure, HttpResponse
from airflow_oauth_provider.protocol.moments import Budget, Moment
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import (
    ApiSettings,
    AssertionSettings,
    ClientSettings,
    RequestSettings,
    RetrySettings,
)
from airflow_oauth_provider.protocol.token.acquisition import acquisition
from airflow_oauth_provider.protocol.token.response import Granted
from airflow_oauth_provider.protocol.urls import parse_url

NOW = 1_700_000_000.0
SECRET = "the-secret-of-the-client"


def settings(
    *,
    request: dict[str, Any] | None = None,
    retry: dict[str, Any] | None = None,
    assertion: dict[str, Any] | None = None,
    api: dict[str, Any] | None = None,
    **changes: Any,
) -> ClientSettings:
    values: dict[str, Any] = {
        "server": TokenEndpoint(parse_url("https://idp.example/token")),
        "client_id": "my-client",
        "client_secret": Secret(SECRET),
        "request": RequestSettings(**(request or {})),
        "retry": RetrySettings(**(retry or {})),
        "assertion": AssertionSettings(**(assertion or {})),
        "api": ApiSettings(**(api or {})),
        **changes,
    }
    return ClientSettings(**values)


def http_response(body: Any = b"", status: int = 200, **headers: str) -> HttpResponse:
    """Build a response; anything but bytes becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {"content_type": "application/json", **headers}
    return HttpResponse(
        status, tuple((name.replace("_", "-"), value) for name, value in names.items() if value), data
    )


def token_response(**members: Any) -> HttpResponse:
    """Build a token response; a member of ``None`` is sent as null."""
    return http_response({"access_token": "tok-1", "token_type": "Bearer", "expires_in": 3600, **members})


class Run:
    """Drive an acquisition through scripted results, on a clock of its own.

    :param results: one for each request; the last one repeats.
    :param takes: seconds each request takes.
    :param chance: what the random source returns.
    :param assertions: what the file holds, each time it is read; the last one repeats.
    """

    def __init__(
        self,
        given: ClientSettings,
        results: Iterable[HttpResponse | Failure],
        *,
        takes: float = 0.1,
        chance: float = 0.5,
        entropy: Callable[[int], bytes] = lambda size: b"\1" * size,
        assertions: Iterable[Secret | OAuthError] = (),
    ) -> None:
        self.sent: list[Send] = []
        self.sleeps: list[float] = []
        self.started = Moment(NOW, 1000.0)
        self.now = 1000.0
        self._given = given
        self._results = list(results)
        self._assertions = list(assertions)
        self.read = 0
        self._takes = takes
        self._flow = acquisition(
            given,
            self.started,
            Budget.of(self.started, given.retry.max_wait),
            random=lambda: chance,
            entropy=entropy,
        )

    @property
    def elapsed(self) -> float:
        return self.now - 1000.0

    def finish(self) -> Granted:
        effect = next(self._flow)
        while True:
            result: HttpResponse | Failure | Secret | OAuthError | None = None
            if isinstance(effect, Send):
                self.sent.append(effect)
                result = self._results.pop(0) if len(self._results) > 1 else self._results[0]
                self.now = min(self.now + self._takes, effect.deadline)
            elif isinstance(effect, ReadAssertion):
                result = self._assertions.pop(0) if len(self._assertions) > 1 else self._assertions[0]
                self.read += 1
            elif isinstance(effect, Sleep):
                self.sleeps.append(effect.seconds)
                self.now += effect.seconds
            else:
                assert isinstance(effect, AskProvider)
            try:
                effect = self._flow.send(Outcome(Moment(NOW + self.elapsed, self.now), result))
            except StopIteration as end:
                granted: Granted = end.value
                return granted
