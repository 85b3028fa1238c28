"""What arguments say of a connection."""

from __future__ import annotations

import io
from argparse import Namespace
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.cli.arguments import fields_given, require_secret, take_secret, variable
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import METHODS

BASIC, JWT = METHODS["client_secret_basic"], METHODS["private_key_jwt"]


def fields_of(plain: list[str], from_environment: list[str]) -> dict[str, Any]:
    """Return the fields of arguments that are right."""
    faults = Faults()
    given = fields_given(plain, from_environment, faults)
    assert faults.by_field == {}
    return given


def wrong_in(plain: list[str]) -> dict[str, str]:
    faults = Faults()
    fields_given(plain, [], faults)
    return faults.by_field


def arguments(**given: Any) -> Namespace:
    return Namespace(**{"secret_stdin": False, "secret_env": None, "key_file": None} | given)


def test_fields_are_stored_as_the_form_stores_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "pin=1234")
    given = ["scope=a b", "post_params=x=1", "post_params=y=2", "include_scope=false", "category="]
    assert fields_of(given, ["secret_params=PIN"]) == {
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
    (message,) = wrong_in([text]).values()
    assert says in message
    assert len(message) < 120


@pytest.mark.fault("F50")
def test_a_key_that_resembles_none_may_be_a_secret() -> None:
    wrong = wrong_in(["eyJhbGciOi=="])
    assert "docs/connection-fields" in wrong["--set"]
    assert "eyJ" not in str(wrong)


def test_a_secret_field_is_no_argument_but_may_be_emptied() -> None:
    wrong = wrong_in(["private_key=the-key"])
    assert "use --set-env private_key=VARIABLE" in wrong["private_key"]
    assert "the-key" not in str(wrong)
    assert fields_of(["private_key=", "secret_params="], []) == {"private_key": None, "secret_params": ""}


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
    wrong = wrong_in([text])
    assert f"use --set-env {key}=VARIABLE" in wrong[key]
    assert "the-key" not in str(wrong)
    monkeypatch.setenv("GIVEN", value)
    assert "the-key" in str(fields_of([], [f"{key}=GIVEN"]))
    assert fields_of(["post_params=api_key="], []) == {"post_params": ["api_key="]}


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    with pytest.raises(ConfigurationError, match="not set, or empty"):
        variable("--secret-env", "EMPTY")


def test_all_that_is_wrong_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "the-key")
    faults = Faults()
    plain = ["scpe=a", "max_wait=soon", "scope", "audience=x", "audience=y", "nothing=z"]
    given = fields_given(plain, ["private_key=NOT_SET_AT_ALL", "secret_params=KEY"], faults)
    assert given == {}
    assert faults.by_field.keys() == {"--set", "max_wait", "audience", "--set-env", "secret_params"}
    assert faults.by_field["--set"] == (
        "does not know the key scpe: did you mean scope?; must be KEY=VALUE; does not know this key: "
        "docs/connection-fields.md lists the keys of the connection's fields"
    )
    assert faults.unknown >= {"scope", "max_wait", "audience", "private_key", "secret_params", "auth_method"}


def test_a_secret_is_the_password_or_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the-secret\r\n"))
    given: dict[str, Any] = {}
    faults = Faults()
    assert take_secret(arguments(secret_stdin=True), given, faults, BASIC) == "the-secret"
    assert given == {}
    monkeypatch.setenv("KEY", "the-key")
    assert take_secret(arguments(secret_env="KEY"), given, faults, JWT) is None
    assert (given, faults.by_field) == ({"private_key": "the-key"}, {})
    assert take_secret(arguments(secret_env="KEY"), given, faults, JWT) is None
    assert "a second time" in faults.by_field["--secret-stdin"]


def test_a_key_file_needs_a_method_for_keys_as_far_as_the_method_is_known() -> None:
    faults = Faults()
    assert take_secret(arguments(), {}, faults, BASIC) is None
    assert faults.by_field == {}
    faults.unknown.add("auth_method")
    take_secret(arguments(key_file="key.pem"), {}, faults, BASIC)
    assert faults.by_field == {}
    faults.unknown.clear()
    take_secret(arguments(key_file="key.pem"), {}, faults, BASIC)
    assert "needs a method that takes a key" in faults.by_field["--key-file"]
    with pytest.raises(ConfigurationError, match="is needed"):
        require_secret()


def test_nobody_is_asked_for_a_secret_while_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _: "typed")
    faults = Faults()
    assert take_secret(arguments(secret_stdin=True), {}, faults, BASIC) == "typed"
    faults.add(ConfigurationError("is wrong", field="host"))
    assert take_secret(arguments(secret_stdin=True), {}, faults, BASIC) is None
    assert faults.concern("password")
