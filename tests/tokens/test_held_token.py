from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens.held_token import MAX_TOKEN, HeldToken

TOKEN = AccessToken("the-token", "Bearer", 5000.0, 1400.0, frozenset({"read", "write"}), scopes_stated=False)
CONTENT: dict[str, Any] = json.loads(HeldToken(TOKEN).dump())


@pytest.mark.parametrize(
    "held",
    [
        HeldToken(TOKEN),
        HeldToken(TOKEN, Secret("a key"), "https://eu.example", '[{"type": "x"}]'),
        HeldToken(AccessToken("x" * MAX_TOKEN, "Bearer", 5000.5, 1400.25)),
    ],
    ids=["token-alone", "all-there-is", "longest"],
)
def test_what_is_written_is_read(held: HeldToken) -> None:
    assert HeldToken.load(held.dump()) == held


def test_one_of_an_earlier_version_has_stated_scopes() -> None:
    earlier = {name: value for name, value in CONTENT.items() if name != "scopes_stated"}
    held = HeldToken.load(json.dumps(earlier).encode())
    assert held is not None
    assert held.token.scopes_stated is True


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 100_000, id="nested-without-end"),
    ],
)
def test_what_is_no_entry(data: bytes) -> None:
    assert HeldToken.load(data) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("value", ""),
        ("value", 7),
        ("value", None),
        ("value", "x" * (MAX_TOKEN + 1)),
        ("token_type", "x" * 65),
        ("expires_at", "5000"),
        ("expires_at", True),
        pytest.param("expires_at", 10**400, id="expires_at-401-digits[F12]"),
        pytest.param("issued_at", 10**400, id="issued_at-401-digits[F12]"),
        ("expires_at", -1),
        ("expires_at", 1e12),
        ("expires_at", float("nan")),
        ("issued_at", float("inf")),
        ("scopes", 5),
        ("scopes", [1]),
        ("proof_key", 5),
        ("instance_url", ["x"]),
        ("details", {}),
    ],
)
def test_one_value_that_does_not_fit_makes_it_none(name: str, value: Any) -> None:
    assert HeldToken.load(json.dumps(CONTENT | {name: value}).encode()) is None


def test_it_is_neither_printed_nor_pickled() -> None:
    held = HeldToken(TOKEN, Secret("a key"), details='{"account": "12345"}')
    for hidden in ("the-token", "a key", "12345"):
        assert hidden not in repr(held)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(held)
