"""What the server of a test responds: a queue of what is scripted, and what it does otherwise."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """One request, as it came in.

    :param target: path and query.
    :param headers: names in lower case.
    :param connection: by which it came; the server counts them from 1.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connection: int = 1

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's parameters."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def form(self) -> dict[str, str]:
        """The parameters of a form, such as those of a token request."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode("latin-1")).items()}

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Response:
    """One response.

    :param delay: seconds before any of it.
    :param interval: seconds after each byte of the body; 0 to send it at once.
    :param cut_after: bytes of the body after which the connection ends; ``None`` to send all of it.
    :param dropped: whether the connection ends without any of it.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    interval: float = 0.0
    cut_after: int | None = None
    dropped: bool = False

    @classmethod
    def of(cls, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Return a response: bytes and text as they are, anything else as JSON; a response as it is."""
        if isinstance(body, cls):
            return body
        if isinstance(body, str | bytes):
            data, kind = (body.encode() if isinstance(body, str) else body), "text/plain; charset=utf-8"
        else:
            data, kind = json.dumps(body).encode(), "application/json"
        return cls(status, data, {"Content-Type": kind, **(headers or {})})


Responder = Callable[[Request], Response]


class Endpoint:
    """The token endpoint or the API.

    What is scripted holds for the next requests, one after another; afterwards the endpoint does as usual.
    *times* is always the number of requests for which it holds; ``None`` until :meth:`as_usual`.

    :param usual: what it does where nothing is scripted.
    """

    def __init__(self, usual: Responder) -> None:
        self.requests: list[Request] = []
        self._usual = usual
        self._scripted: deque[Responder] = deque()
        self._from_now_on: Responder | None = None
        self._lock = threading.Lock()

    def respond(
        self,
        body: Any = "",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        times: int | None = 1,
    ) -> None:
        """Send this, whatever is asked: bytes and text as they are, anything else as JSON.

        :param body: or a function that makes it, or a whole :class:`Response`, of the :class:`Request`.
        """
        self._script(lambda request: Response.of(_made(body, request), status, headers), times)

    def throttle(self, retry_after: int = 1, status: int = 429, *, times: int | None = 1) -> None:
        """Be busy, with ``Retry-After``.

        :param retry_after: whole seconds.
        """
        self.respond("busy", status, {"Retry-After": str(retry_after)}, times=times)

    def as_usual(self) -> None:
        """Forget all that is scripted."""
        with self._lock:
            self._scripted.clear()
            self._from_now_on = None

    def delay(self, seconds: float, *, times: int | None = 1) -> None:
        """Respond as usual, but late. A server that never responds is one that is late for minutes.

        :param seconds: before the response; the end of the test does not wait for them.
        """
        self._script(lambda request: replace(self._usual(request), delay=seconds), times)

    def drop(self, *, times: int | None = 1) -> None:
        """End the connection without a response."""
        self._script(lambda _: Response(200, dropped=True), times)

    def drip(self, interval: float = 0.1, *, times: int | None = 1) -> None:
        """Respond as usual, one byte of the body at a time.

        :param interval: seconds after each byte.
        """
        self._script(lambda request: replace(self._usual(request), interval=interval), times)

    def cut(self, after: int = 1, *, times: int | None = 1) -> None:
        """Respond as usual, and end the connection within the body.

        :param after: bytes of the body that arrive.
        """
        self._script(lambda request: replace(self._usual(request), cut_after=after), times)

    def handle(self, request: Request) -> Response:
        """Return what the server sends; any number of threads may call it."""
        with self._lock:
            self.requests.append(request)
            respond = self._scripted.popleft() if self._scripted else self._from_now_on or self._usual
        return respond(request)

    def _script(self, respond: Responder, times: int | None) -> None:
        with self._lock:
            if times is None:
                self._from_now_on = respond
            else:
                self._scripted.extend([respond] * times)


class TokenEndpoint(Endpoint):
    """The endpoint that grants tokens.

    :param usual: what it does where nothing is scripted.
    """

    def __init__(self, usual: Responder) -> None:
        super().__init__(usual)
        self.granted: dict[str, Any] = {}
        self.grant()

    def grant(self, *, expires_in: int | None = 3600, scope: str | None = None, **members: Any) -> None:
        """Grant such tokens from now on; each has a value of its own.

        :param expires_in: seconds, counted by the clock of the test; ``None`` to leave it out.
        :param scope: what is granted, where it is less than what is asked for; ``None`` to leave it out.
        :param members: further members of the response.
        """
        given = {"expires_in": expires_in, "scope": scope, **members}
        self.granted = {name: value for name, value in given.items() if value is not None}

    def refuse(
        self,
        error: str = "invalid_client",
        status: int | None = None,
        description: str | None = None,
        *,
        times: int | None = 1,
    ) -> None:
        """Refuse to grant a token (RFC 6749 §5.2).

        :param status: ``None`` for 401 with ``invalid_client``, 400 with all others.
        """
        members = {"error": error, **({"error_description": description} if description else {})}
        self.respond(members, status or (401 if error == "invalid_client" else 400), times=times)


class ApiEndpoint(Endpoint):
    """The API, which wants a token of this server.

    :param usual: what it does where nothing is scripted.
    """

    def __init__(self, usual: Responder) -> None:
        super().__init__(usual)
        self.routes: dict[tuple[str, str], Responder] = {}

    def route(
        self, path: str, body: Any = "", *, method: str = "GET", status: int = 200, **headers: str
    ) -> None:
        """Respond to calls of a path that bring a good token; all other paths are 404.

        :param path: below the base URL; ``*`` stands for any characters, as in ``orders/*``. A path without
            it goes first.
        :param method: ``*`` for all.
        :param body: as of :meth:`respond`.
        :param headers: of the response, with ``_`` for ``-``.
        """
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.routes[method.upper(), path.strip("/")] = lambda request: Response.of(
            _made(body, request), status, names
        )

    def responder(self, method: str, path: str) -> Responder | None:
        """Return what responds to a call, if the test has a route for it."""
        for known in (method, "*"):
            if route := self.routes.get((known, path)):
                return route
        for (known, pattern), route in self.routes.items():
            if known in {method, "*"} and fnmatchcase(path, pattern):
                return route
        return None

    def refuse(self, error: str = "invalid_token", status: int = 401, *, times: int | None = 1) -> None:
        """Refuse the token, whatever it is (RFC 6750 §3.1)."""
        self.respond({"error": error}, status, challenge("Bearer", error), times=times)


def _made(body: Any, request: Request) -> Any:
    return body(request) if callable(body) else body


def challenge(scheme: str, error: str) -> dict[str, str]:
    """Return the header that refuses a token."""
    return {"WWW-Authenticate": f'{scheme} error="{error}"'}
