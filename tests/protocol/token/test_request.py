from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_oauth_provider.protocol.configured_server import TokenEndpoint
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.token.request import (
    TokenRequest,
    build_request_about_token,
    build_token_request,
)
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, SECRET, settings


def built(**changes: Any) -> TokenRequest:
    given = settings(**changes)
    return build_token_request(given, given.server.url, now=NOW, entropy=bytes)


def form(request: TokenRequest) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode(), keep_blank_values=True)


def header(request: TokenRequest, name: str) -> list[str]:
    return [value for key, value in request.headers if key.lower() == name.lower()]


def test_the_least_there_is() -> None:
    request = built()
    assert form(request) == [("grant_type", "client_credentials")]
    assert header(request, "Content-Type") == ["application/x-www-form-urlencoded"]
    assert header(request, "Accept") == ["application/json"]
    assert header(request, "Authorization")[0].startswith("Basic ")


def test_every_parameter_in_its_place_and_none_that_is_empty() -> None:
    request = built(
        request={
            "scope": ("b", "a"),
            "audience": "https://api.example",
            "resources": ("https://one.example", "https://two.example"),
            "query_params": (("tenant", "e mea"), ("empty", "")),
            "post_params": (("realm", "a&b=c"), ("empty", "")),
            "secret_params": (("pin", Secret("1 2+3")),),
        }
    )
    assert form(request) == [
        ("grant_type", "client_credentials"),
        ("scope", "b a"),
        ("audience", "https://api.example"),
        ("resource", "https://one.example"),
        ("resource", "https://two.example"),
        ("realm", "a&b=c"),
        ("pin", "1 2+3"),
    ]
    assert urlsplit(request.url).query == "tenant=e+mea"


def test_scope_may_be_left_out() -> None:
    assert "scope" not in dict(form(built(request={"scope": ("a",), "include_scope": False})))


def test_the_token_urls_own_query_stays() -> None:
    url = parse_url("https://idp.example/token?p=policy")
    request = built(server=TokenEndpoint(url), request={"query_params": (("tenant", "x"),)})
    assert request.url == "https://idp.example/token?p=policy&tenant=x"


@pytest.mark.parametrize("field", ["headers", "secret_headers"])
def test_own_headers_replace_ours_in_any_case(field: str) -> None:
    value: Any = Secret("mine") if field == "secret_headers" else "mine"
    request = built(request={field: (("user-agent", value), ("X-Tenant", value))})
    assert header(request, "User-Agent") == ["mine"]
    assert header(request, "X-Tenant") == ["mine"]


def test_what_is_printed_shows_nothing_and_the_redactor_knows_all() -> None:
    request = built(request={"secret_params": (("pin", Secret("my-secret-pin")),)})
    basic = header(request, "Authorization")[0].removeprefix("Basic ")
    for value in (SECRET, "my-secret-pin", basic):
        assert value not in repr(request)
        assert value not in request.redactor.text(f"echo {value} echo")


def test_parameters_as_json() -> None:
    request = built(
        auth_method="client_secret_post",
        request={
            "body_format": "json",
            "grant_name": "account_credentials",
            "scope": ("b", "a"),
            "audience": "https://api.example",
            "resources": ("https://one.example", "https://two.example"),
            "query_params": (("tenant", "emea"),),
            "post_params": (("account_id", "ü"), ("empty", "")),
            "secret_params": (("pin", Secret("1 2+3")),),
        },
    )
    assert header(request, "Content-Type") == ["application/json"]
    assert json.loads(request.body) == {
        "grant_type": "account_credentials",
        "scope": "b a",
        "audience": "https://api.example",
        "resource": ["https://one.example", "https://two.example"],
        "account_id": "ü",
        "pin": "1 2+3",
        "client_id": "my-client",
        "client_secret": SECRET,
    }
    assert SECRET not in request.url
    assert urlsplit(request.url).query == "tenant=emea"


def test_one_resource_is_a_text_in_json() -> None:
    request = built(request={"body_format": "json", "resources": ("https://one.example",)})
    assert json.loads(request.body)["resource"] == "https://one.example"
    assert header(request, "Authorization")[0].startswith("Basic ")


def test_introspection_and_revocation_stay_forms() -> None:
    given = settings(request={"body_format": "json"})
    url = parse_url("https://idp.example/introspect")
    request = build_request_about_token(given, url, Secret("tok-1"), now=NOW, entropy=bytes)
    assert dict(form(request))["token"] == "tok-1"


class TestParameters:
    """RFC 6749 §4.4.2, §3.2; RFC 8707 §2."""

    def test_all(self) -> None:
        request = built(
            request={
                "scope": ("b", "a"),
                "audience": "https://api.example",
                "resources": ("https://a.example", "https://b.example"),
                "query_params": (("tenant", "e&f"),),
                "post_params": (("realm", "prod"), ("empty", "")),
                "secret_params": (("pin", Secret("1234567")),),
            }
        )
        assert sorted(form(request)) == [
            ("audience", "https://api.example"),
            ("grant_type", "client_credentials"),
            ("pin", "1234567"),
            ("realm", "prod"),
            ("resource", "https://a.example"),
            ("resource", "https://b.example"),
            ("scope", "b a"),
        ]
        assert request.url == "https://idp.example/token?tenant=e%26f"
        assert "1234567" in request.redactor.values

    def test_scope_can_be_left_out(self) -> None:
        assert "scope" not in dict(form(built(request={"scope": ("a",), "include_scope": False})))

    def test_own_headers_replace_the_usual_ones(self) -> None:
        request = built(
            request={"headers": (("accept", "*/*"),), "secret_headers": (("X-Key", Secret("gate-key")),)}
        )
        assert header(request, "Accept") == ["*/*"]
        assert header(request, "X-Key") == ["gate-key"]
        assert header(request, "Accept-Encoding") == ["identity"]
        assert "gate-key" in request.redactor.values

    def test_nothing_secret_in_its_repr(self) -> None:
        assert SECRET not in repr(built(auth_method="client_secret_post"))
