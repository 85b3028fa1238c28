"""Settings as displays show them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.authorizations import describe
from airflow_oauth_provider.authorizations.actions import ConnectionCheck
from airflow_oauth_provider.authorizations.settings import (
    display_sections,
    display_settings,
    displayable,
    unusual_settings,
)
from airflow_oauth_provider.connection.provider_form import default_extra
from airflow_oauth_provider.connection.sections.unusual_servers import UNUSUAL_FIELDS
from tests.support.servers.certificates import issue_client
from tests.support.service import Service


def displayed(extra: Any, **standard: Any) -> dict[str, str]:
    values = {"host": "https://idp.example/token", "login": "me", "password": "the-password", **standard}
    text = extra if isinstance(extra, str) else json.dumps(extra)
    return dict(display_settings(Connection(conn_id="x", conn_type="x", extra=text, **values)))


@pytest.mark.fault("C47", "C51")
@pytest.mark.parametrize("field", ["certificate", "ca_certificates", "jwt_claims"])
def test_a_private_key_in_a_field_that_is_not_masked_is_not_shown(field: str) -> None:
    """The connection is refused for it, and stored."""
    client = issue_client()
    text = client.certificate + client.key
    rows = displayed({field: {"pasted": text} if field == "jwt_claims" else text})
    text = "\n".join(rows.values())
    assert not [line for line in client.key.splitlines()[1:-1] if line in text]


def test_what_is_filled_in_and_of_secrets_only_that_they_are() -> None:
    rows = displayed(
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
    rows = displayed(
        {"post_params": "realm=blue\napi_key=abcdef", "jwt_claims": {"a": {"password": "abcdef"}}}
    )
    text = "\n".join(rows.values())
    assert "realm=blue" in text
    assert "api_key=***" in text
    assert "abcdef" not in text


@pytest.mark.parametrize("extra", ["no json", "[]", '{"a": 1, "a": 2'])
def test_what_cannot_be_read_shows_nothing(extra: str) -> None:
    assert displayed(extra) == {}


def test_halves_of_characters_are_replaced() -> None:
    assert displayable("a\ud800b") == "a?b"
    assert displayable(None) is None


def test_settings_tell_of_a_secret_only_that_it_is_there(service: Service) -> None:
    displayed = dict(
        display_settings(service.connection(secret_params="pin=1234", post_params=["a=b", "c=d"]))
    )
    assert displayed["Client secret"] == "set"
    assert displayed["Secret post parameters"] == "set"
    assert displayed["Post parameters"] == "a=b\nc=d"
    assert "Audience" not in displayed


@pytest.mark.parametrize("form", ["lines", "list", "object", "json"])
@pytest.mark.parametrize(
    ("field", "label"),
    [
        ("post_params", "Post parameters"),
        ("query_params", "Query parameters"),
        ("request_headers", "Request headers"),
        ("api_headers", "API headers"),
        ("jwt_claims", "Additional JWT claims"),
    ],
)
def test_what_airflow_hides_by_its_name_is_hidden(
    service: Service, field: str, label: str, form: str
) -> None:
    names = ("password", "api_key", "X-Auth-Token", "X-Api-Key", "my_Secret", "Authorization")
    lines = [*(f"{name}=hunter-2" for name in names), "tenant=emea"]
    pairs = dict(line.split("=") for line in lines)
    forms = {"lines": "\n".join(lines), "list": lines, "object": pairs, "json": json.dumps(pairs)}
    connection = service.connection(**{field: forms[form]})
    displayed = dict(display_settings(connection))[label]
    assert "hunter" not in displayed
    assert displayed.splitlines() == [*(f"{name}=***" for name in names), "tenant=emea"]
    assert "hunter" not in json.dumps(describe(connection).report())


def test_claims_are_hidden_at_any_depth(service: Service) -> None:
    claims = {"ctx": {"tenant": "emea", "keys": [{"password": "hunter-2"}]}, "tokens": ["hunter-3"]}
    displayed = dict(display_settings(service.connection(jwt_claims=claims)))["Additional JWT claims"]
    assert displayed.splitlines() == ['ctx={"tenant": "emea", "keys": [{"password": "***"}]}', "tokens=***"]


def test_pairs_that_are_none_are_not_repeated(service: Service) -> None:
    displayed = dict(display_settings(service.connection(post_params=["password: hunter-2"])))
    assert "hunter" not in displayed["Post parameters"]
    assert "line 1" in displayed["Post parameters"]


@pytest.mark.parametrize(
    ("extra", "texts"),
    [
        pytest.param({}, (), id="none"),
        pytest.param({"scope": "read", "body_format": "form", "tolerate": []}, (), id="defaults"),
        pytest.param(
            {"body_format": "json", "answer_fields": ["access_token=$.a", "scope=$.b"]},
            ("body_format = json", "answer_fields = access_token=$.a, scope=$.b"),
            id="two",
        ),
        pytest.param({"basic_encoding": "raw"}, ("basic_encoding = raw",), id="one"),
        pytest.param("{", (), id="unreadable"),
    ],
)
def test_a_deviation_from_the_standards_is_named(extra: Any, texts: tuple[str, ...]) -> None:
    text = extra if isinstance(extra, str) else json.dumps(extra)
    connection = Connection(conn_id="x", conn_type="x", extra=text, host="https://idp.example/token")
    assert unusual_settings(connection) == texts


DEVIATIONS: dict[str, Any] = {
    "tenant": "acme",
    "tenants": ["apac", "emea"],
    "body_format": "json",
    "grant_name": "account_credentials",
    "answer_fields": ["access_token=$.data.token"],
    "expires_in_unit": "milliseconds",
    "tolerate": ["created", "untyped"],
    "header_name": "X-Api-Token",
    "header_scheme": "Token",
    "basic_encoding": "raw",
    "dead_when": "$.errors[*].code in 601, 602",
    "base_url": "{instance_url}/v1",
}


@pytest.mark.parametrize("key", DEVIATIONS)
def test_each_deviation_is_named_by_its_field(service: Service, key: str) -> None:
    given = {"allowed_origins": ["https://*.my.tenant.example"]} if key == "base_url" else {}
    connection = service.connection(**default_extra() | given | {key: DEVIATIONS[key]})
    (text,) = unusual_settings(connection)
    assert text.startswith(f"{key} = ")
    assert describe(connection).unusual == (text,)
    assert ConnectionCheck.of(connection).facts.unusual == (text,)


def test_no_deviation_is_left_out() -> None:
    assert DEVIATIONS.keys() == {entry.key for entry in UNUSUAL_FIELDS} | {"dead_when", "base_url"}


@pytest.mark.parametrize("given", [[{"type": "für"}], '[{"type": "für"}]'], ids=["array", "text"])
def test_json_is_shown_as_json(given: Any) -> None:
    assert displayed({"rich_requests": given})["Rich authorization requests"] == '[{"type": "für"}]'


def test_what_an_empty_field_means_is_told_apart(service: Service) -> None:
    """The form writes every default, as another type than code does."""
    extra = default_extra() | {"scope": "read", "max_wait": "30", "request_timeout": 15, "discovery": "false"}
    sections = display_sections(service.connection(**extra))
    rows = dict(row for section in sections for row in section.rows)
    defaults = dict(row for section in sections for row in section.defaults)
    assert rows["Scope"] == "read"
    assert rows["Maximum wait duration (seconds)"] == "30"
    assert rows["Authentication method"] == "client_secret_basic", "one is used in any case"
    assert defaults["Maximum retry attempts"] == "3"
    assert defaults["Request timeout (seconds)"] == "15"
    assert defaults["Discovery"] == "false"
    assert rows.keys().isdisjoint(defaults)
