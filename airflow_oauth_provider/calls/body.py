"""Bodies of requests: whether and how they can be sent again."""

from __future__ import annotations

import requests.utils
from requests import PreparedRequest


def can_replay(request: PreparedRequest) -> bool:
    """Whether the body can be sent again: none, bytes, text, or a file whose start is known."""
    position = getattr(request, "_body_position", None)
    return request.body is None or isinstance(request.body, bytes | str) or isinstance(position, int)


def rewind(request: PreparedRequest) -> None:
    """Rewind a file body to where it began; nothing to do for any other."""
    if isinstance(getattr(request, "_body_position", None), int):
        requests.utils.rewind_body(request)
