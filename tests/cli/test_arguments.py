"""What arguments say of a connection."""

from __future__ import annotations

import io
from argparse import Namespace
from typing import Any

import pytest

from airflow_oauth_provider.cli.arguments import fields_given, take_secret, variable
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import METHODS

BASIC, JWT = METHODS["client_secret_basic"], METHODS["private_key_jwt"]


def arguments(**given: Any) -> Namespace:
    return Namespace(**{"secret_stdin": False, "secret_env": None, "key_file": None} | given)


def test_fields_are_stored_as_the_form_stores_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "pin=1234")
    given = ["scope=a b", "post_params=x=1", "post_params=y=2", "include_scope=false", "category="]
    assert fields_given(given, ["secret_params=PIN"]) == {
        "scope": "a b",
        "post_params": ["x=1", "y=2"],
        "include_scope": False,
        "category": None,
        "secret_params": "pin=1234",
    }


@pytest.mark.fault("F50")
@pytest.mark.parametrize(
    "text, says",
    [
        pytest.param("scpe=a", "does not know the key scpe: did you mean scope?", id="near"),
        pytest.param("Base-URL=a", "did you mean base_url", id="spelled-otherwise"),
        pytest.param("host=a", "use --token-url or --discovery", id="option"),
        pytest.param("login=a", "use --client-id", id="client"),
        pytest.param("client_secret=a", "use --secret-stdin or --secret-env", id="secret"),
    ],
)
def test_a_key_that_there_is_not_names_what_is_near(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        fields_given([text], [])
    assert says in str(raised.value)
    assert len(str(raised.value)) < 120


@pytest.mark.fault("F50")
def test_a_key_that_resembles_none_may_be_a_secret() -> None:
    with pytest.raises(ConfigurationError, match="docs/connection-fields") as raised:
        fields_given(["eyJhbGciOi=="], [])
    assert "eyJ" not in str(raised.value)


def test_a_secret_field_is_no_argument_but_may_be_emptied() -> None:
    with pytest.raises(ConfigurationError, match="use --set-env private_key=VARIABLE") as raised:
        fields_given(["private_key=the-key"], [])
    assert "the-key" not in str(raised.value)
    assert fields_given(["private_key=", "secret_params="], []) == {"private_key": None, "secret_params": ""}


@pytest.mark.fault("F50")
@pytest.mark.parametrize(
    "text",
    [
        "post_params=api_key=the-key",
        "post_params=x=1\napi_key=the-key",
        'query_params={"client_secret": "the-key"}',
        "request_headers=X-Api-Key=the-key",
        "api_headers=X-Auth-Token=the-key",
        "certificate=-----BEGIN PRIVATE KEY-----\nthe-key",
    ],
)
def test_what_airflow_hides_by_its_name_is_no_argument(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments stand in the list of processes, and in Airflow's audit log."""
    key, _, value = text.partition("=")
    with pytest.raises(ConfigurationError, match=f"use --set-env {key}=VARIABLE") as raised:
        fields_given([text], [])
    assert "the-key" not in str(raised.value)
    monkeypatch.setenv("GIVEN", value)
    assert "the-key" in str(fields_given([], [f"{key}=GIVEN"]))
    assert fields_given(["post_params=api_key="], []) == {"post_params": ["api_key="]}


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    with pytest.raises(ConfigurationError, match="not set, or empty"):
        variable("--secret-env", "EMPTY")


def test_a_secret_is_the_password_or_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the-secret\r\n"))
    given: dict[str, Any] = {}
    assert take_secret(arguments(secret_stdin=True), given, BASIC) == "the-secret"
    assert given == {}
    monkeypatch.setenv("KEY", "the-key")
    assert take_secret(arguments(secret_env="KEY"), given, JWT) is None
    assert given == {"private_key": "the-key"}
    with pytest.raises(ConfigurationError, match="a second time"):
        take_secret(arguments(secret_env="KEY"), given, JWT)


def test_without_a_secret_one_may_be_needed() -> None:
    assert take_secret(arguments(), {}, BASIC) is None
    with pytest.raises(ConfigurationError, match="is needed"):
        take_secret(arguments(), {}, BASIC, needed=True)
    with pytest.raises(ConfigurationError, match="needs a method that takes a key"):
        take_secret(arguments(key_file="key.pem"), {}, BASIC)
