"""A service that repeats all that it is sent, in every spelling, and whom it was sent by."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.servers.scripted import Json, Raw, RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service
from tests.support.spellings import SPELLINGS, disclosed

SECRET = 'a"secret&with <every> kind% of täil'
PIN = "a-secret/parameter"
GATE = "the-key-of+the=gate"
TOKEN = "token<1>&/+='%-of-a-leak-test"
VALUES = (SECRET, PIN, GATE, TOKEN)
FOREIGN = "foreign<token>&/+='%-of-a-leak-test"
"""A token of somebody else that a caller presents."""


def refusals_repeating(everything: Callable[[RecordedRequest], str], word: str) -> list[Any]:
    """Return rows of a parametrised test: refusals that repeat all that a request has carried.

    :param word: that an address carries.
    """
    return [
        pytest.param(
            lambda r: Json({"error": "invalid_client", "error_description": everything(r)}, 401), id="401"
        ),
        pytest.param(
            lambda r: Json({"error": everything(r), "error_uri": f"https://x/{word}"}, 400), id="400"
        ),
        pytest.param(
            lambda r: Json({"error": "server_error", "error_description": everything(r)}, 503), id="503"
        ),
        pytest.param(
            lambda r: Json({"error": "invalid_scope", "scope": everything(r)}), id="200-with-an-error"
        ),
    ]


@dataclass(frozen=True)
class Echo:
    """What is confidential of one connection, and a service that repeats it.

    :param more: what else is: tokens that a caller presents, repeated where that is done.
    :param spell: how all of it is spelled, once more.
    """

    secret: str = SECRET
    pin: str = PIN
    gate: str = GATE
    token: str = TOKEN
    more: tuple[str, ...] = (FOREIGN,)
    spell: Callable[[str], str] = str

    @property
    def values(self) -> tuple[str, ...]:
        return (self.secret, self.pin, self.gate, self.token, *self.more)

    def spelled(self, *more: str) -> str:
        return self.spelled_secrets(self.token, *more)

    def spelled_secrets(self, *more: str) -> str:
        """What the server of a token request knows: it cannot tell a token of others from its texts."""
        values = (self.secret, self.pin, self.gate, *more)
        return "\n".join(self.spell(spell(value)) for spell in SPELLINGS.values() for value in values)

    def spelled_by_api(self) -> str:
        return self.spelled()

    def granted(self, request: RecordedRequest) -> ScriptedResponse:
        """Grant a token, and repeat secrets and token where a server's texts stand."""
        if b"refused" in request.body:
            return self.refused(request)
        encoded = SPELLINGS["Base64"](self.secret)
        scope = f"read {encoded} {self.token} {self.token[3:20]}"
        return token_json(self.token, scope=f"{scope} {_as_scope(self.pin)} {_as_scope(self.gate)}")

    def refused(self, request: RecordedRequest) -> ScriptedResponse:
        """Refuse, and repeat the request besides."""
        body = request.body.decode("latin-1")
        about = request.target.startswith("/about")
        values = self.spelled(*self._presented(request)) if about else self.spelled_secrets()
        said = f"{values}\n{request.target}\n{request.headers}\n{body}"
        error = {"error": "invalid_client", "error_description": said, "error_uri": f"https://x/{self.pin}"}
        return Json(error, 401)

    def repeated(self, request: RecordedRequest) -> ScriptedResponse:
        """Repeat it in body, headers and the reason phrase."""
        content = {
            "state": "done",
            "echo": [self.spelled_by_api(), {self.token: 1}],
            "headers": dict(request.headers),
        }
        body = json.dumps(content).encode()
        status = b"400" if "bad" in request.target else b"200"
        header = html.escape(self.token).encode()
        return Raw(
            b'HTTP/1.1 %b %b\r\nContent-Type: application/json\r\nETag: "%b"\r\nLink: <https://x/?%b>\r\n'
            b'WWW-Authenticate: Bearer error="invalid_request", error_description="%b"\r\n'
            b"Content-Length: %d\r\n\r\n" % (status, header, header, header, header, len(body)) + body,
            keep_open=True,
        )

    def described(self, request: RecordedRequest) -> ScriptedResponse:
        """Answer an introspection or revocation, at ``/about``; refuse it at ``/about/refused``."""
        if "refused" in request.target:
            return self.refused(request)
        echo = {"active": True, "token": request.body.decode("latin-1"), "scope": f"read {self.token}"}
        presented = self._presented(request)
        said = {"sub": self.secret, "aud": [self.spelled(*presented)], self.pin: {"x": [self.spelled()]}}
        return Json({**echo, **said})

    def _presented(self, request: RecordedRequest) -> list[str]:
        return [token for token in request.form["token"] if token in self.more]

    def serve(self, service: Service) -> Service:
        service.token, service.api = self.granted, self.repeated
        plain = service._respond
        about = lambda request: (  # noqa: E731
            self.described(request) if request.target.startswith("/about") else plain(request)
        )
        service.server.script(about)
        return service

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return what a connection to it holds."""
        return {
            "password": self.secret,
            "secret_params": f"pin={self.pin}",
            "secret_headers": f"X-Gate={self.gate}",
            "probe_path": "/bad",
            "max_retry_attempts": 0,
            **changes,
        }

    def assert_silent(self, outputs: Iterable[Any]) -> None:
        """Find nothing of it in what was put out."""
        text = "\n".join(output if isinstance(output, str) else repr(output) for output in outputs)
        assert text
        places = disclosed(text, self.values)
        assert not places, (places, [value for value in outputs if disclosed(repr(value), self.values)])


def _as_scope(value: str) -> str:
    """Return a value as a scope: as it is, if it can be one (RFC 6749 §3.3)."""
    return value if re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", value) else SPELLINGS["percent"](value)


ECHO = Echo()


def echoing(service: Service) -> Service:
    return ECHO.serve(service)


def settings_of(**changes: Any) -> dict[str, Any]:
    """Return what a connection to it holds."""
    return ECHO.settings(**changes)


def assert_silent(outputs: Iterable[Any]) -> None:
    """Find nothing of it in what was put out."""
    ECHO.assert_silent(outputs)
