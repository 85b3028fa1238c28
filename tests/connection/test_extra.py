from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.connection.extra import MASKED, MAX_SECRET, Extra
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.secret import Secret


def extra(**fields: Any) -> Extra:
    return Extra("my_api", json.dumps(fields))


@pytest.mark.parametrize("text", ["no json", "[]", '{"a": 1', 7])
def test_what_is_no_extra(text: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Extra("my_api", text)
    assert (caught.value.conn_id, caught.value.field) == ("my_api", "extra")


def test_values_and_their_defaults() -> None:
    assert extra().value("max_retry_attempts") == 3
    assert extra(max_retry_attempts="7").value("max_retry_attempts") == 7
    assert extra(max_retry_attempts=None).value("max_retry_attempts") == 3
    with pytest.raises(ConfigurationError) as caught:
        extra(max_retry_attempts="the-value").value("max_retry_attempts")
    assert caught.value.field == "max_retry_attempts"
    assert "the-value" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "scopes"),
    [(None, ()), ("", ()), ("b a b", ("b", "a")), (" a  b ", ("a", "b"))],
)
def test_scopes_each_once_in_their_order(value: str | None, scopes: tuple[str, ...]) -> None:
    assert extra(scope=value).scopes("scope") == scopes


@pytest.mark.parametrize("value", ['a"b', "a\\b", "ä", "a\tb"])
def test_what_is_no_scope(value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        extra(scope=value).scopes("scope")
    assert caught.value.field == "scope"


@pytest.mark.parametrize("field", ["private_key", "secret_params", "secret_headers"])
def test_the_placeholder_of_a_secret_is_not_the_secret(field: str) -> None:
    given = extra(**{field: MASKED})
    read = given.secret if field == "private_key" else given.secret_pairs
    with pytest.raises(ConfigurationError) as caught:
        read(field)
    assert caught.value.field == field


@pytest.mark.fault("F61")
def test_headers_lose_the_blanks_around_their_values() -> None:
    assert extra(request_headers={"X-A": " b\t"}).headers("request_headers") == (("X-A", "b"),)
    assert extra(secret_headers="X-A= b ").secret_headers("secret_headers") == (("X-A", Secret("b")),)


def test_limits_of_a_secret() -> None:
    given = extra()
    assert given.secret_of("password", "x" * MAX_SECRET, multiline=False)
    too_long, longer = "x" * (MAX_SECRET + 1), "x" * (4 * MAX_SECRET + 1)
    for value, multiline in ((too_long, False), (longer, True), ("a\nb", False)):
        with pytest.raises(ConfigurationError) as caught:
            given.secret_of("password", value, multiline=multiline)
        assert value not in str(caught.value)
    assert given.secret_of("private_key", "a\nb", multiline=True) == Secret("a\nb")


@pytest.mark.parametrize(
    ("value", "statuses"), [(None, {401}), (["401", "403"], {401, 403}), ("401\n419", {401, 419})]
)
def test_statuses(value: Any, statuses: set[int]) -> None:
    assert extra(refresh_on_status=value).statuses() == statuses


@pytest.mark.parametrize("value", [["200"], ["500"], ["4x1"], ["99"]])
def test_what_is_no_such_status(value: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        extra(refresh_on_status=value).statuses()
    assert caught.value.field == "refresh_on_status"
