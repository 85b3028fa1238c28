from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from requests import PreparedRequest

from airflow_oauth_provider.calls.body import can_replay, rewind


def prepared(data: Any) -> PreparedRequest:
    request = PreparedRequest()
    request.prepare("POST", "https://api.example", headers={}, data=data)
    return request


class Pipe(io.BytesIO):
    """Has no beginning to go back to."""

    def tell(self) -> int:
        raise OSError("illegal seek")


def pieces() -> Iterator[bytes]:
    yield b"x"


@pytest.mark.parametrize(
    ("data", "again"),
    [
        (None, True),
        (b"bytes", True),
        ("text", True),
        ({"a": "form"}, True),
        (io.BytesIO(b"file"), True),
        (pieces(), False),
        (Pipe(b"pipe"), False),
    ],
    ids=["none", "bytes", "text", "form", "file", "generator", "pipe"],
)
def test_what_can_be_sent_again(data: Any, again: bool) -> None:
    assert can_replay(prepared(data)) is again


def test_a_file_is_rewound_to_where_it_began() -> None:
    file = io.BytesIO(b"header|body")
    file.seek(7)
    request = prepared(file)
    assert file.read() == b"body"
    rewind(request)
    assert file.read() == b"body"
    rewind(prepared(b"bytes"))  # nothing to do
