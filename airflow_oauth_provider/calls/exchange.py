"""What requests and responses of ``requests`` tell the flow of a call."""

from __future__ import annotations

from typing import Any

import requests.utils
from requests import PreparedRequest, Response

from airflow_oauth_provider.protocol.call.protected_call import CallAnswer
from airflow_oauth_provider.tokens import AccessToken


def call_answer(response: Response) -> CallAnswer:
    """Reduce an answer of ``requests`` to what the flow needs."""
    if response.status_code < 300:
        return CallAnswer(response.status_code)
    raw: Any = getattr(response.raw, "headers", None)
    lines = raw.getlist("WWW-Authenticate") if hasattr(raw, "getlist") else []
    if not lines and "WWW-Authenticate" in response.headers:
        lines = [response.headers["WWW-Authenticate"]]
    return CallAnswer(response.status_code, response.headers.get("Location"), tuple(lines))


def sent_token(request: PreparedRequest) -> AccessToken | None:
    """Return a stand-in for the token that *request* carried: only its value is compared."""
    header = str(request.headers.get("Authorization", ""))
    return AccessToken(header.removeprefix("Bearer "), "Bearer", 0.0, 0.0) if header else None


def can_replay(request: PreparedRequest) -> bool:
    """Whether the body can be sent again: none, bytes, text, or a file whose start is known."""
    position = getattr(request, "_body_position", None)
    return request.body is None or isinstance(request.body, bytes | str) or isinstance(position, int)


def rewind(request: PreparedRequest) -> None:
    """Rewind a file body to where it began; nothing to do for any other."""
    if isinstance(getattr(request, "_body_position", None), int):
        requests.utils.rewind_body(request)
