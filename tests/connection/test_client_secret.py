"""What is odd about a client secret, wherever it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_oauth_provider.connection.client_secret import client_secret
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores import open_store


def warnings_of(value: str, policy: Policy | None = None) -> list[str]:
    extra = Extra("my_api", None)
    assert client_secret(extra, "password", value, policy or Policy()).reveal() == value
    return extra.warnings


def test_an_ordinary_one() -> None:
    assert warnings_of("a-client-secret") == []


@pytest.mark.fault("C22")
def test_blanks_around_it() -> None:
    (warning,) = warnings_of(" a-client-secret")
    assert "begins or ends with a space" in warning


def test_quotation_marks_around_it() -> None:
    (warning,) = warnings_of('"a-client-secret"')
    assert warning == "the client secret stands in quotation marks: is that meant?"


def test_a_short_one() -> None:
    (warning,) = warnings_of("abcd")
    assert "does not mask it" in warning


def test_a_short_one_in_a_foreign_database(tmp_path: Path) -> None:
    redis = Sharing(open_store("redis://127.0.0.1:1/0", tmp_path))
    (warning,) = warnings_of("fifteen-letters", Policy(sharing=redis))
    assert "store_key" in warning


def test_the_field_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        client_secret(Extra("my_api", None), "external_credential", "a\nb", Policy())
    assert (caught.value.field, caught.value.conn_id) == ("external_credential", "my_api")
