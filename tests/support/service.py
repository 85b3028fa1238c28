"""An authorization server and an API in one scripted server, and connections to them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import Connection

from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.manager import shared
from tests.support.servers.scripted import (
    Json,
    RecordedRequest,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
    Text,
    token_json,
)

Api = Callable[[RecordedRequest], ScriptedResponse]


def echo(request: RecordedRequest) -> ScriptedResponse:
    """Tell what came in."""
    return Json(
        {
            "method": request.method,
            "target": request.target,
            "authorization": request.header("Authorization"),
            "body": request.body.decode("latin-1"),
        }
    )


def redirecting(
    to: str, status: int = 302, *, path: str | None = "/api/x", method: str | None = None, api: Api = echo
) -> Api:
    """Return an API that redirects one path, or one method, and answers all else as *api* does."""

    def respond(request: RecordedRequest) -> ScriptedResponse:
        meant = request.method == method if method else request.target == path
        return Redirect(to, status) if meant else api(request)

    return respond


@dataclass
class Service:
    """Token endpoint at ``/token``, API below ``/api``; tokens are tok-1, tok-2, …"""

    server: ScriptedServer
    api: Api = echo
    dead: set[str] = field(default_factory=set)
    refuse: Callable[[], ScriptedResponse] = lambda: Json(
        {}, 401, [("WWW-Authenticate", 'Bearer error="invalid_token"')]
    )
    token: Callable[[RecordedRequest], ScriptedResponse] | None = None

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self.server.script(self._respond)

    @property
    def base_url(self) -> str:
        return f"{self.server.url}/api"

    @property
    def token_requests(self) -> list[RecordedRequest]:
        return [request for request in self.server.requests if request.target.startswith("/token")]

    @property
    def calls(self) -> list[RecordedRequest]:
        return [request for request in self.server.requests if not request.target.startswith("/token")]

    def connection(self, **changes: Any) -> Connection:
        """Return a connection to this service; keyword arguments go to the extra or a standard field."""
        standard = {
            name: changes.pop(name, default)
            for name, default in {
                "conn_id": "my_api",
                "host": f"{self.server.url}/token",
                "login": "my-client",
                "password": "a-client-secret",
                "port": None,
            }.items()
        }
        extra = {"base_url": self.base_url, "scope": "read", **changes}
        return Connection(conn_type="oauth2_client_credentials", extra=json.dumps(extra), **standard)

    def settings(self, **changes: Any) -> ClientSettings:
        """Return the settings of such a connection."""
        return resolve(self.connection(**changes), Policy()).settings

    def environment(self, **changes: Any) -> str:
        """Return the same as the value of an ``AIRFLOW_CONN_…`` variable."""
        given = self.connection(**changes)
        names = ("conn_type", "host", "login", "password", "port")
        return json.dumps({**{name: getattr(given, name) for name in names}, "extra": given.extra_dejson})

    def take_uploads(self, *, dying: str | None = None, status: int = 303) -> None:
        """Say after each upload where its result is.

        :param dying: a token that ends with the upload.
        """
        result = redirecting("/api/result", status, method="POST")

        def respond(request: RecordedRequest) -> ScriptedResponse:
            if dying and request.method == "POST":
                self.dead.add(dying)
            return result(request)

        self.api = respond

    def _respond(self, request: RecordedRequest) -> ScriptedResponse:
        if request.target.startswith("/token"):
            return self.token(request) if self.token else token_json(f"tok-{next(self._numbers)}")
        token = (request.header("Authorization") or "").removeprefix("Bearer ")
        return self.refuse() if token in self.dead else self.api(request)


@contextmanager
def running_service(**options: Any) -> Iterator[Service]:
    """Start one, with nothing remembered from before."""
    shared.clear()
    with ScriptedServer() as server:
        yield Service(server, **options)
    shared.clear()


__all__ = [
    "Json",
    "RecordedRequest",
    "ScriptedResponse",
    "Service",
    "Text",
    "echo",
    "redirecting",
    "running_service",
]
