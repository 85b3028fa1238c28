"""What is shaped like a signed JWT, and what lies in a file by mistake."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.protocol.client.assertion_shape import is_signed_jwt
from tests.support.assertions import Platform

GOOD = Platform().assertion()
HEADER, CLAIMS, SIGNATURE = GOOD.split(".")


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_an_assertion() -> None:
    assert is_signed_jwt(GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a-password",
        "root:x:0:0:root:/root:/bin/bash",
        GOOD + "\n" + GOOD,
        f"{GOOD} ",
        f"Bearer {GOOD}",
        f"{HEADER}.{CLAIMS}",
        f"{HEADER}.{CLAIMS}.",
        f"{HEADER}.{CLAIMS}.{SIGNATURE}.x.y",
        f"{HEADER}=.{CLAIMS}.{SIGNATURE}",
        f"abcd.{CLAIMS}.{SIGNATURE}",
        f"{HEADER}.abcde.{SIGNATURE}",
        f"{part([])}.{CLAIMS}.{SIGNATURE}",
        f"{HEADER}.{part('text')}.{SIGNATURE}",
        f"{part({'typ': 'JWT'})}.{CLAIMS}.{SIGNATURE}",
        f"{part({'alg': 'none'})}.{CLAIMS}.{SIGNATURE}",
        f"{HEADER}.{part({'a': [[]] * 3})[:-4]}.{SIGNATURE}",
        jwt.encode({"sub": "x"}, "", algorithm="none"),
        "\xff" * 30,
    ],
    ids=range(19),
)
def test_anything_else(text: str) -> None:
    assert not is_signed_jwt(text)
