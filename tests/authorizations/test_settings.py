from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.authorizations.settings import display_settings, displayable


def shown(extra: Any, **standard: Any) -> dict[str, str]:
    values = {"host": "https://idp.example/token", "login": "me", "password": "the-password", **standard}
    text = extra if isinstance(extra, str) else json.dumps(extra)
    return dict(display_settings(Connection(conn_id="x", conn_type="x", extra=text, **values)))


def test_what_is_filled_in_and_of_secrets_only_that_they_are() -> None:
    rows = shown(
        {
            "scope": "read",
            "include_scope": False,
            "resource": ["https://a.example", "https://b.example"],
            "secret_params": "pin=12345",
            "private_key": "-----BEGIN",
            "audience": "",
            "category": None,
        }
    )
    assert rows["Scope"] == "read"
    assert rows["Client secret"] == "set"
    assert "https://a.example\nhttps://b.example" in rows.values()
    assert "false" in rows.values()
    assert list(rows.values()).count("set") == 3
    assert not [value for value in rows.values() if "12345" in value or "BEGIN" in value or value == ""]


def test_named_values_are_hidden_where_airflow_hides_them() -> None:
    rows = shown({"post_params": "realm=blue\napi_key=abcdef", "jwt_claims": {"a": {"password": "abcdef"}}})
    text = "\n".join(rows.values())
    assert "realm=blue" in text
    assert "api_key=***" in text
    assert "abcdef" not in text


@pytest.mark.parametrize("extra", ["no json", "[]", '{"a": 1, "a": 2'])
def test_what_cannot_be_read_shows_nothing(extra: str) -> None:
    assert shown(extra) == {}


def test_halves_of_characters_are_replaced() -> None:
    assert displayable("a\ud800b") == "a?b"
    assert displayable(None) is None
