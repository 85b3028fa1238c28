"""Texts that a person enters, as Airflow's form would store them; more through commands and page."""

from __future__ import annotations

import base64

import pytest

from airflow_oauth_provider.authorizations.entered_values import MAX_KEY_FILE, key_text, stored_value
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("key", "texts", "stored"),
    [
        ("scope", ["a b"], "a b"),
        ("max_wait", ["30"], 30.0),
        ("include_scope", ["no"], False),
        ("resource", ["https://a", "https://b"], ["https://a", "https://b"]),
        ("post_params", ["a=b", "c=d"], ["a=b", "c=d"]),
        ("post_params", ['{"a": "b c"}'], ["a=b c"]),
        ("jwt_claims", ['{"a": [1]}'], {"a": [1]}),
        ("secret_params", ["a=b"], "a=b"),
    ],
)
def test_they_are_stored(key: str, texts: list[str], stored: object) -> None:
    assert stored_value(FIELDS_BY_KEY[key], texts) == stored


@pytest.mark.parametrize(("key", "texts"), [("scope", ["a", "b"]), ("max_wait", ["x"]), ("resource", ["{}"])])
def test_what_is_wrong_is_told_with_its_field(key: str, texts: list[str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        stored_value(FIELDS_BY_KEY[key], texts)
    assert raised.value.field == key


def test_key_files() -> None:
    assert key_text(b"\xef\xbb\xbfPEM\n", "private_key") == "PEM"
    assert base64.b64decode(key_text(b"\x30\x05\x00", "private_key")) == b"\x30\x05\x00"
    for data in (b"", bytes(MAX_KEY_FILE + 1)):
        with pytest.raises(ConfigurationError):
            key_text(data, "private_key")
