"""From an extra to settings, without the rest of the connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.connection import setting_groups
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import METHODS
from airflow_oauth_provider.protocol.settings import (
    ApiSettings,
    AssertionSettings,
    NetworkSettings,
    RequestSettings,
)
from airflow_oauth_provider.protocol.urls import parse_url

TOKEN_URL = parse_url("https://idp.example/token")


def extra(**content: Any) -> Extra:
    return Extra("my_api", json.dumps(content))


def test_an_empty_extra_gives_the_defaults() -> None:
    assert setting_groups.request_settings(extra(), TOKEN_URL) == RequestSettings()
    assert setting_groups.assertion_settings(extra()) == AssertionSettings()
    assert setting_groups.api_settings(extra(), Policy()) == ApiSettings()
    assert setting_groups.network_settings(extra(), Policy(), TOKEN_URL) == NetworkSettings()


def test_the_origins_of_an_api_are_those_of_its_urls_once() -> None:
    given = extra(
        base_url="https://api.example/v1",
        allowed_origins=["https://api.example", "https://files.example/x"],
    )
    api = setting_groups.api_settings(given, Policy(api_hosts=("*.example",)))
    assert [origin.authority for origin in api.origins] == ["api.example", "files.example"]
    assert api.listed_hosts == ("*.example",)


def test_what_is_dangerous_but_allowed_deserves_a_warning() -> None:
    given = extra(verify_tls=False)
    network = setting_groups.network_settings(given, Policy(allow_unverified_tls=True), TOKEN_URL)
    assert not network.verify_tls
    assert "verify_tls is off" in given.warnings[0]


def test_a_provider_that_the_method_does_not_call_deserves_a_warning() -> None:
    given = extra(custom_provider="corp")
    method = next(iter(METHODS.values()))
    assert setting_groups.custom_provider(given, Policy(), method) is None
    assert given.warnings == [f"custom_provider is ignored: auth_method is {method.name}"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        pytest.param({"post_params": ["grant_type=password"]}, "post_params", id="fixed parameter"),
        pytest.param({"resource": ["not a uri"]}, "resource", id="resource"),
        pytest.param({"secret_headers": "***"}, "secret_headers", id="placeholder"),
    ],
)
def test_an_error_names_connection_and_field(content: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        setting_groups.request_settings(extra(**content), TOKEN_URL)
    assert (refused.value.conn_id, refused.value.field) == ("my_api", field)


@pytest.mark.parametrize(
    "given",
    [
        [{"type": "orders", "actions": ["read"]}],
        '[{"actions": ["read"], "type": "orders"}]',
        ' [ {"type":"orders",\n "actions":["read"]} ] ',
    ],
    ids=["array", "text", "lines"],
)
def test_rich_requests_mean_the_same_in_every_spelling(given: Any) -> None:
    request = setting_groups.request_settings(extra(rich_requests=given), TOKEN_URL)
    assert request.rich_requests == '[{"actions":["read"],"type":"orders"}]'


@pytest.mark.fault("C56")
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{", "must be JSON, but it is not valid"),
        ('[{"type": "a", "type": "b"}]', "same name twice"),
        ("[NaN]", "NaN"),
        ('{"type": "orders"}', "JSON array of objects"),
        ({"type": "orders"}, "JSON array of objects"),
        ("orders", "must be JSON"),
        (7, "JSON array of objects"),
        (True, "JSON array of objects"),
        ('["orders"]', "JSON array of objects"),
        ('[{"actions": ["read"]}]', "JSON array of objects"),
        ('[{"type": 7}]', "JSON array of objects"),
        ([{"type": "orders", "account": "***"}], "placeholder"),
        ('[{"type": "\\ud800"}]', "half a character"),
    ],
)
def test_rich_requests_that_are_none(given: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        setting_groups.request_settings(extra(rich_requests=given), TOKEN_URL)
    assert (caught.value.field, caught.value.conn_id) == ("rich_requests", "my_api")


def test_rich_requests_are_not_set_twice() -> None:
    given = extra(rich_requests=[{"type": "x"}], post_params=["authorization_details=[]"])
    with pytest.raises(ConfigurationError) as caught:
        setting_groups.request_settings(given, TOKEN_URL)
    assert caught.value.field == "post_params"
