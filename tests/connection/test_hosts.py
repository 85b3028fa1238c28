from __future__ import annotations

import logging

import pytest

from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.connection.hosts import require_host
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.urls import parse_url

OPTION = "allowed_api_hosts"


@pytest.mark.parametrize(
    ("url", "patterns"),
    [
        pytest.param("https://api.example/v1", (), id="no list"),
        pytest.param("https://api.example/v1", ("api.example",), id="listed"),
        pytest.param("https://eu.api.example/v1", ("*.api.example",), id="by a pattern"),
        pytest.param("https://169.254.10.10/", ("169.254.10.10",), id="a listed address may be any"),
    ],
)
def test_accepts(url: str, patterns: tuple[str, ...]) -> None:
    require_host(Extra("my_api", "{}"), "base_url", parse_url(url), patterns, OPTION)


def test_a_host_that_is_not_listed_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(ConfigurationError) as refused:
        require_host(
            Extra("my_api", "{}"), "base_url", parse_url("https://evil.example"), ("api.example",), OPTION
        )
    assert (refused.value.conn_id, refused.value.field) == ("my_api", "base_url")
    assert "evil.example is not in [oauth2] allowed_api_hosts" in str(refused.value)
    assert "evil.example is not in [oauth2] allowed_api_hosts" in caplog.text


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.1"])
def test_an_address_that_nobody_means_is_refused_with_the_option_that_allows_it(host: str) -> None:
    with pytest.raises(ConfigurationError, match=OPTION):
        require_host(Extra("my_api", "{}"), "base_url", parse_url(f"https://{host}/"), (), OPTION)
