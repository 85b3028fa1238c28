"""What a token says of itself, however odd or hostile."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.token.claims import MAX_TEXT, MAX_TOKEN, Claims, claims_of

KEY = "a-key-of-the-server-which-is-long-enough"


def part(data: bytes | dict[str, Any]) -> str:
    text = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def token(payload: bytes | dict[str, Any], header: bytes | dict[str, Any] = {"alg": "RS256"}) -> str:  # noqa: B006
    return f"{part(header)}.{part(payload)}.c2lnbmF0dXJl"


def test_a_token_of_rfc_9068() -> None:
    claims = claims_of(
        jwt.encode(
            {
                "iss": "https://idp.example",
                "aud": ["https://api.example", "https://other.example"],
                "scope": "read write",
                "scp": ["a", "b"],
                "roles": ["Orders.Read"],
                "azp": "my-client",
                "client_id": "my-client",
                "exp": 1_800_000_000,
                "iat": 1_799_996_400.5,
                "sub": "not among those shown",
            },
            KEY,
            algorithm="HS256",
        )
    )
    assert claims.reason is None
    assert dict(claims.values) == {
        "iss": "https://idp.example",
        "aud": ("https://api.example", "https://other.example"),
        "scope": "read write",
        "scp": ("a", "b"),
        "roles": ("Orders.Read",),
        "azp": "my-client",
        "client_id": "my-client",
        "exp": "2027-01-15T08:00:00+00:00",
        "iat": "2027-01-15T07:00:00+00:00",
    }
    assert claims.lines[1] == "aud: https://api.example, https://other.example"
    assert json.loads(json.dumps(claims.report()))["verified"] is False


@pytest.mark.parametrize(
    "value, reason",
    [
        pytest.param("tok-1", "opaque", id="opaque"),
        pytest.param("a.b", "opaque", id="two-parts"),
        pytest.param("a.b.c", "not Base64", id="no-base64"),
        pytest.param("äöü.b.c", "opaque", id="letters"),
        pytest.param(f"{part(b'x')}.{part(b'y')}.c", "not valid JSON", id="no-json"),
        pytest.param(token({"iss": "x"}, {"typ": "none"}), "opaque", id="no-header-of-a-JWT"),
        pytest.param("a.b.c.d.e", "encrypted", id="JWE"),
        pytest.param("." * 60_000, "opaque", id="dots"),
        pytest.param(token(b"[1]"), "not a JSON object", id="a-list"),
        pytest.param(token(b'{"exp": NaN}'), "NaN", id="NaN"),
        pytest.param(token(b'{"exp": 1e999}'), "out of range", id="out-of-range"),
        pytest.param(token(b'{"iss": "a", "iss": "b"}'), "same name twice", id="twice"),
        pytest.param(token(b'{"iss":' + b"[" * 40 + b"]" * 40 + b"}"), "nested", id="40-deep"),
        pytest.param(token(b'{"iss":' + b"[" * 15_000), "nested", id="15,000-deep"),
        pytest.param(token({"iss": "x" * 1_000_000}), "longer than 64 KiB", id="1-MB"),
        pytest.param(token(b"\xff\xfe"), "not UTF-8", id="no-UTF-8"),
        pytest.param("", "opaque", id="nothing"),
    ],
)
def test_what_cannot_be_read_says_why(value: str, reason: str) -> None:
    claims = claims_of(value)
    assert claims.values == {}
    assert reason in str(claims.reason)
    assert claims.lines == (f"nothing: {claims.reason}",)


@pytest.mark.parametrize("name", ["iss", "aud", "scope", "scp", "roles", "azp", "client_id", "exp", "iat"])
@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], True, [["a"]], -5, 10**400])
def test_a_value_of_a_wrong_type_is_not_shown(name: str, value: Any) -> None:
    claims = claims_of(token({name: value}))
    assert claims.reason is None or len(str(value)) > 300
    assert all(str(shown).endswith("which makes no sense here)") for shown in claims.values.values())


@pytest.mark.parametrize("exp", ["1800000000", True, -1, 253_402_300_800, 10**30])
def test_no_time(exp: Any) -> None:
    assert str(claims_of(token({"exp": exp})).values["exp"]).startswith("(")


def test_null_counts_as_absent() -> None:
    assert claims_of(token({"aud": None})) == Claims({})
    assert claims_of(token({})).lines == ("the token names none of them",)


def test_long_and_steering_texts() -> None:
    claims = claims_of(token({"iss": "\x1b[31mred\r\nforged " + "x" * 5000, "aud": ["<b>"] * 200}))
    assert "\x1b" not in claims.values["iss"]
    assert "\n" not in claims.values["iss"]
    assert len(claims.values["iss"]) <= MAX_TEXT
    assert claims.values["aud"][-1] == "… and 150 more"


def test_what_the_server_echoes_is_redacted() -> None:
    secret = "a-client-secret-that-is-long"
    claims = claims_of(token({"iss": f"https://idp/{secret}", "aud": [secret]}), Redactor([secret]))
    assert claims.values == {"iss": "https://idp/***", "aud": ("***",)}


def test_the_longest_token_that_is_read() -> None:
    value = token({"iss": "x"})
    assert claims_of(value + "A" * (MAX_TOKEN - len(value))).values == {"iss": "x"}
