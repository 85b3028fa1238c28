"""A service that repeats all that it is sent, in every spelling, and whom it was sent by."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

from tests.support.servers.scripted import Json, Raw, RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service
from tests.support.spellings import SPELLINGS, disclosed

SECRET = 'a"secret&with <every> kind% of täil'
PIN = "a-secret/parameter"
GATE = "the-key-of+the=gate"
TOKEN = "token<1>&/+='%-of-a-leak-test"
VALUES = (SECRET, PIN, GATE, TOKEN)


def spelled() -> str:
    return "\n".join(spell(value) for spell in SPELLINGS.values() for value in VALUES)


def granted(request: RecordedRequest) -> ScriptedResponse:
    """Grant a token, and repeat secrets and token where a server's texts stand."""
    if b"refused" in request.body:
        return Json(
            {"error": "invalid_client", "error_description": spelled(), "error_uri": f"https://x/{PIN}"}, 401
        )
    scope = f"read {PIN} {GATE} {SPELLINGS['Base64'](SECRET)} {TOKEN} {TOKEN[3:20]}"
    return token_json(TOKEN, scope=scope)


def repeated(request: RecordedRequest) -> ScriptedResponse:
    """Repeat it in body, headers and the reason phrase."""
    content = {"state": "done", "echo": [spelled(), {TOKEN: 1}], "headers": dict(request.headers)}
    body = json.dumps(content).encode()
    status = b"400" if "bad" in request.target else b"200"
    header = html.escape(TOKEN).encode()
    return Raw(
        b'HTTP/1.1 %b %b\r\nContent-Type: application/json\r\nETag: "%b"\r\nLink: <https://x/?%b>\r\n'
        b'WWW-Authenticate: Bearer error="invalid_request", error_description="%b"\r\n'
        b"Content-Length: %d\r\n\r\n" % (status, header, header, header, header, len(body)) + body,
        keep_open=True,
    )


def echoing(service: Service) -> Service:
    service.token, service.api = granted, repeated
    return service


def settings_of(**changes: Any) -> dict[str, Any]:
    """Return what a connection to it holds."""
    return {
        "password": SECRET,
        "secret_params": f"pin={PIN}",
        "secret_headers": f"X-Gate={GATE}",
        "probe_path": "/bad",
        "max_retry_attempts": 0,
        **changes,
    }


def assert_silent(outputs: Iterable[Any]) -> None:
    """Find nothing of it in what was put out."""
    text = "\n".join(output if isinstance(output, str) else repr(output) for output in outputs)
    assert text
    assert not disclosed(text, VALUES), [value for value in outputs if disclosed(repr(value), VALUES)]
