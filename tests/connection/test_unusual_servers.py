"""From the section Unusual servers to settings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.connection import unusual_servers
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.connection.fields import FIELDS
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.connection.sections.unusual_servers import UNUSUAL_FIELDS
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.get_provider_info import get_provider_info
from airflow_oauth_provider.protocol.settings import ClientSettings, RequestSettings, ResponseSettings
from tests.connection.test_checks import connection


def extra(**content: Any) -> Extra:
    return Extra("my_api", json.dumps(content))


def resolved(**content: Any) -> ClientSettings:
    return resolve(connection(**content), Policy()).settings


def test_they_stand_at_the_end_of_the_form() -> None:
    assert FIELDS[-len(UNUSUAL_FIELDS) :] == UNUSUAL_FIELDS
    assert {entry.section for entry in UNUSUAL_FIELDS} == {"Unusual servers"}
    (kind,) = get_provider_info()["connection-types"]
    assert list(kind["conn-fields"])[-len(UNUSUAL_FIELDS) :] == [entry.key for entry in UNUSUAL_FIELDS]


def test_the_standard_is_the_default() -> None:
    assert unusual_servers.response_settings(extra()) == ResponseSettings()
    assert resolved().request == RequestSettings(scope=resolved().request.scope)


@pytest.mark.parametrize(
    "lines",
    [
        ["access_token=$.data[0].token", " expires_in = $['life time'] "],
        "access_token=$.data[0].token\nexpires_in=$['life time']",
        '["access_token=$.data[0].token", "expires_in=$[\'life time\']"]',
    ],
    ids=["lines", "text", "json"],
)
def test_response_fields_are_lines(lines: Any) -> None:
    members = unusual_servers.response_settings(extra(answer_fields=lines)).members
    assert members == (("access_token", ("data", 0, "token")), ("expires_in", ("life time",)))


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        pytest.param({"answer_fields": {"access_token": "$.a"}}, "answer_fields", "one a line", id="object"),
        pytest.param({"answer_fields": '{"access_token": "$.a"}'}, "answer_fields", "one a line", id="json"),
        pytest.param({"answer_fields": ["refresh_token=$.a"]}, "answer_fields", "names ref", id="unknown"),
        pytest.param({"answer_fields": ["access_token=$..a"]}, "answer_fields", "no JSON path", id="descent"),
        pytest.param({"answer_fields": ["access_token=$.a[*]"]}, "answer_fields", "no JSON path", id="all"),
        pytest.param({"answer_fields": ["access_token=$"]}, "answer_fields", "no path", id="root"),
        pytest.param({"answer_fields": ["access_token"]}, "answer_fields", "line 1", id="no-path"),
        pytest.param(
            {"answer_fields": ["scope=$.a", "scope=$.b"]}, "answer_fields", "no name twice", id="twice"
        ),
        pytest.param({"tolerate": ["created", "html"]}, "tolerate", "created and untyped", id="tolerate"),
        pytest.param({"expires_in_unit": "hours"}, "expires_in_unit", "one of", id="unit"),
        pytest.param({"body_format": "xml"}, "body_format", "one of", id="format"),
        pytest.param({"header_name": "X Token"}, "header_name", "name of a header", id="header-with-a-space"),
        pytest.param({"header_name": "Cookie"}, "header_name", "name of a header", id="header-of-http"),
        pytest.param(
            {"header_name": "Accept"}, "header_name", "name of a header", id="header-that-goes-along"
        ),
        pytest.param({"header_name": "Expect"}, "header_name", "name of a header", id="header-of-requests"),
        pytest.param({"header_scheme": "Two words"}, "header_scheme", "one word", id="scheme-of-two-words"),
        pytest.param(
            {"header_name": "X-Token", "api_headers": ["x-token=1"]}, "api_headers", "x-token", id="set-twice"
        ),
        pytest.param({"dead_when": "601"}, "dead_when", "one line", id="dead-when"),
        pytest.param({"dead_when": "$.a[*].b[*] in 1"}, "dead_when", "more than one", id="two-wildcards"),
        pytest.param({"base_url": "{instance_url}"}, "base_url", "allowed_origins must", id="no-origins"),
        *(
            pytest.param(
                {"base_url": f"{{instance_url}}{path}", "allowed_origins": ["https://a.example"]},
                "base_url",
                "",
                id=f"path-{path}",
            )
            for path in (".evil.example", "@evil.example", "?a=b", "#a", ":80", "/a b", "/{instance_url}")
        ),
        pytest.param({"base_url": "https://a.example/{instance_url}"}, "base_url", "begin", id="not-first"),
        *(
            pytest.param(
                {"base_url": "{instance_url}", "allowed_origins": [text]}, "allowed_origins", "", id=text
            )
            for text in (
                "https://*.example",
                "http://*.api.example",
                "*.api.example",
                "https://a.*.api.example",
                "https://*.api.example/v1",
                "https://*.api.example:99999",
                "https://*.api.-",
                "https://*",
            )
        ),
        pytest.param(
            {"base_url": "https://a.api.example", "allowed_origins": ["https://*.api.example"]},
            "allowed_origins",
            "only where base_url begins",
            id="pattern-without-instance",
        ),
        pytest.param({"header_name": "X-Token", "dpop": True}, "header_name", "beside dpop", id="dpop"),
        pytest.param({"header_scheme": "Token", "dpop": True}, "header_scheme", "beside dpop", id="scheme"),
        pytest.param({"grant_name": "a b"}, "grant_name", "RFC 6749", id="grant-with-a-space"),
        pytest.param({"grant_name": "ä"}, "grant_name", "RFC 6749", id="grant-not-ascii"),
    ],
)
def test_an_error_names_the_field(content: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason or ".") as refused:
        resolved(**content)
    assert (refused.value.conn_id, refused.value.field) == ("my_api", field)


def test_a_grant_may_be_a_uri() -> None:
    name = "urn:vendor:oauth:grant-type:service"
    assert resolved(grant_name=name).request.grant_name == name


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({}, ("Authorization", "Bearer")),
        ({"header_name": "", "header_scheme": None}, ("Authorization", "Bearer")),
        ({"header_name": "authorization"}, ("Authorization", "Bearer")),
        ({"header_name": "X-Token"}, ("X-Token", "")),
        ({"header_name": "X-Token", "header_scheme": "Bearer"}, ("X-Token", "Bearer")),
        ({"header_scheme": "none"}, ("Authorization", "")),
        ({"header_scheme": "Zoho-oauthtoken"}, ("Authorization", "Zoho-oauthtoken")),
    ],
)
def test_where_the_api_wants_the_token(content: dict[str, Any], place: tuple[str, str]) -> None:
    api = resolved(**content).api
    assert (api.header_name, api.header_scheme) == place


def test_a_rule_for_bodies() -> None:
    sign = resolved(dead_when="$.errors[*].code in 601, 602").api.dead_when
    assert sign is not None
    assert sign.values == ("601", "602")


def test_an_instance_with_its_path_and_patterns() -> None:
    settings = resolved(
        base_url="{instance_url}/services/data/v61.0",
        allowed_origins=["https://*.my.salesforce.com", "https://login.salesforce.com"],
        probe_path="/limits",
    )
    assert settings.api.instance == ("/services/data/v61.0", ("*.my.salesforce.com",))
    assert [str(origin) for origin in settings.api.origins] == ["https://login.salesforce.com"]
    assert settings.response.names_instance
    assert not resolved().response.names_instance


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        pytest.param({"dpop": True, "tolerate": ["untyped"]}, "tolerate untyped is ignored", id="untyped"),
        pytest.param(
            {"answer_fields": ["instance_url=$.rest_url"]}, "answer_fields names instance_url", id="instance"
        ),
    ],
)
def test_what_has_no_effect_beside_the_others_is_warned_about(content: Any, warning: str) -> None:
    (given,) = resolve(connection(**content), Policy()).warnings
    assert warning in given
