from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest

from airflow_oauth_provider.exceptions import InvalidClientError, TokenEndpointError, TokenResponseError
from airflow_oauth_provider.protocol.confidential_values import redactor_of
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.token.introspection import (
    INTROSPECTION,
    MAX_TEXT,
    Introspection,
    introspection,
    read_introspection,
)
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, SECRET, http_response, settings

TOKEN = "2YotnFZFEjr1zCsicMWpAA"
HERE = parse_url("https://idp.example/introspect?tenant=emea")
ELSEWHERE = parse_url("https://other.example/introspect")


def read(body: Any, **headers: Any) -> Introspection:
    given = settings()
    return read_introspection(
        given,
        http_response(body, **headers),
        endpoint=INTROSPECTION.at(HERE),
        redactor=redactor_of(given, TOKEN),
    )


def request(url: Any = HERE, **changes: Any) -> TokenRequest:
    given = settings(**changes)
    message = introspection(given, url, Secret(TOKEN), entropy=lambda size: b"\1" * size)
    built = message.build(given, NOW)
    assert built is not None
    return built


class TestRequest:
    """RFC 7662 §2.1, with the connection's own client authentication."""

    def test_basic(self) -> None:
        built = request()
        assert built.url == "https://idp.example/introspect?tenant=emea"
        assert parse_qsl(built.body.decode()) == [("token", TOKEN), ("token_type_hint", "access_token")]
        assert dict(built.headers)["Authorization"].startswith("Basic ")
        assert dict(built.headers)["Accept"] == "application/json"

    def test_in_the_body(self) -> None:
        form = dict(parse_qsl(request(auth_method="client_secret_post").body.decode()))
        assert form["client_id"] == "my-client"
        assert form["client_secret"] == SECRET

    def test_an_assertion_each_time(self) -> None:
        secret = Secret("0123456789abcdef0123456789abcdef")
        given = settings(auth_method="client_secret_jwt", client_secret=secret)
        numbers = iter(range(1, 9))
        message = introspection(
            given, HERE, Secret(TOKEN), entropy=lambda size: bytes([next(numbers)]) * size
        )
        forms = [
            dict(parse_qsl(built.body.decode()))
            for built in (message.build(given, NOW), message.build(given, NOW))
            if built
        ]
        claims = [jwt.decode(form["client_assertion"], options={"verify_signature": False}) for form in forms]
        assert claims[0]["jti"] != claims[1]["jti"]
        assert {form["token"] for form in forms} == {TOKEN}

    def test_parameters_of_the_token_request_stay_with_it(self) -> None:
        shape = {
            "scope": ("read",),
            "audience": "https://api.example",
            "query_params": (("q", "1"),),
            "post_params": (("p", "2"),),
            "secret_params": (("pin", Secret("a-secret-pin")),),
        }
        built = request(request=shape)
        assert parse_qsl(built.body.decode()) == [("token", TOKEN), ("token_type_hint", "access_token")]
        assert "q=1" not in built.url

    def test_headers_of_the_connection_go_to_its_own_origin_only(self) -> None:
        shape = {"headers": (("X-Tenant", "emea"),), "secret_headers": (("X-Gate", Secret("the-gate-key")),)}
        assert (
            dict(request(request=shape).headers).items()
            >= {"X-Tenant": "emea", "X-Gate": "the-gate-key"}.items()
        )
        assert {"X-Tenant", "X-Gate"}.isdisjoint(dict(request(ELSEWHERE, request=shape).headers))

    def test_it_shows_neither_token_nor_secret(self) -> None:
        built = request()
        assert TOKEN not in repr(built)
        assert SECRET not in repr(built)
        assert built.redactor.text(f"{TOKEN} {SECRET}") == "*** ***"


class TestResponse:
    """RFC 7662 §2.2."""

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"active": False}, id="alone"),
            pytest.param({"active": False, "sub": "jane", "exp": "never"}, id="with-members"),
            pytest.param({"active": False, "error": "invalid_token"}, id="with-an-error"),
        ],
    )
    def test_a_token_that_is_not_active_has_nothing_else(self, body: dict[str, Any]) -> None:
        assert read(body) == {"active": False}

    @pytest.mark.parametrize(
        "body, member, value",
        [
            pytest.param({"exp": 1419356238}, "exp", 1419356238, id="exp"),
            pytest.param({"exp": 1419356238.9}, "exp", 1419356238, id="exp-with-a-fraction"),
            pytest.param({"iat": "1419350238"}, "iat", 1419350238, id="iat-as-text"),
            pytest.param({"nbf": 0}, "nbf", 0, id="nbf"),
            pytest.param({"scope": "read write"}, "scope", "read write", id="scope"),
            pytest.param({"scope": ["read", "write"]}, "scope", "read write", id="scope-as-a-list"),
            pytest.param({"aud": ["a", "b"]}, "aud", ["a", "b"], id="aud-as-a-list"),
            pytest.param({"aud": "a"}, "aud", "a", id="aud"),
            pytest.param({"client_id": 17}, "client_id", "17", id="client_id-as-a-number"),
            pytest.param({"username": "José \\ 'x'"}, "username", "José \\ 'x'", id="any-letters"),
            pytest.param({"sub": "a\nb\x1b[31m\u202e"}, "sub", "a b [31m ", id="cleaned"),
            pytest.param({"roles": [{"n": "a\x00b"}]}, "roles", [{"n": "a b"}], id="others-cleaned"),
            pytest.param({"realm": {"n": 1.5, "on": True}}, "realm", {"n": 1.5, "on": True}, id="others"),
            pytest.param({"username": f"x{TOKEN}"}, "username", "x***", id="token-in-a-text"),
            pytest.param({"jti": TOKEN}, "jti", "***", id="token-as-jti"),
            pytest.param({"seen": [SECRET]}, "seen", ["***"], id="secret"),
        ],
    )
    def test_members(self, body: dict[str, Any], member: str, value: Any) -> None:
        result: Any = read({"active": True, **body})
        assert result == {"active": True, member: value}
        assert type(result[member]) is type(value)

    def test_names_are_cleaned_too(self) -> None:
        assert read({"active": True, TOKEN: 1, "a\nb": 2}) == {"active": True, "***": 1, "a b": 2}

    def test_null_says_nothing(self) -> None:
        assert read({"active": True, "exp": None, "scope": None, "other": None}) == {"active": True}

    def test_long_texts_are_cut(self) -> None:
        assert len(read({"active": True, "sub": "s" * 100_000})["sub"]) == MAX_TEXT

    @pytest.mark.parametrize(
        "body, reason",
        [
            pytest.param({}, "active is missing", id="no-active"),
            pytest.param({"active": None}, "active is missing", id="null"),
            pytest.param({"active": "true"}, "no boolean", id="text"),
            pytest.param({"active": "false"}, "no boolean", id="text-false"),
            pytest.param({"active": 1}, "no boolean", id="one"),
            pytest.param({"active": 0}, "no boolean", id="zero"),
            pytest.param({"active": []}, "no boolean", id="list"),
            pytest.param(b'{"active": true, "active": false}', "same name twice", id="twice"),
            pytest.param(b"", "empty", id="empty"),
            pytest.param(b"<html>", "not valid JSON", id="page"),
            pytest.param(b"[true]", "not a JSON object", id="array"),
            pytest.param(b'{"active": true', "not valid JSON", id="cut"),
            pytest.param(b'{"active": true, "exp": NaN}', "NaN", id="NaN"),
            pytest.param(b"\xff\xfe", "not UTF-8", id="UTF-16"),
            pytest.param(b'{"active": true, "x": %s}' % (b"[" * 40 + b"]" * 40), "levels deep", id="depth"),
            pytest.param({"active": True, "exp": "soon"}, "exp is neither", id="exp-text"),
            pytest.param({"active": True, "exp": True}, "exp is neither", id="exp-boolean"),
            pytest.param({"active": True, "exp": 10**400}, "exp is neither", id="exp-no-float-holds"),
            pytest.param({"active": True, "iat": "9" * 5000}, "iat is neither", id="iat-of-5000-digits"),
            pytest.param({"active": True, "sub": ["x"]}, "sub is neither", id="sub-list"),
            pytest.param({"active": True, "client_id": True}, "client_id is neither", id="client-boolean"),
            pytest.param({"active": True, "scope": [1]}, "scope is neither", id="scope-of-numbers"),
            pytest.param({"active": True, "aud": {"a": 1}}, "aud is neither", id="aud-object"),
        ],
    )
    def test_what_is_no_state_of_a_token(self, body: Any, reason: str) -> None:
        with pytest.raises(TokenResponseError, match=reason) as caught:
            read(body)
        assert caught.value.status == 200
        assert not caught.value.retryable
        assert "RFC 7662 §2.2" in caught.value.message
        assert caught.value.advice == "check that the endpoint given is the introspection endpoint"

    def test_a_compressed_one(self) -> None:
        with pytest.raises(TokenResponseError, match="compressed"):
            read({"active": True}, content_encoding="gzip")

    @pytest.mark.parametrize("members", [{}, {"active": True}])
    def test_an_error_with_200(self, members: dict[str, Any]) -> None:
        with pytest.raises(InvalidClientError, match="refused the introspection: invalid_client"):
            read({"error": "invalid_client", **members})

    def test_the_error_is_cleaned(self) -> None:
        with pytest.raises(TokenEndpointError) as caught:
            read({"error": "invalid_request", "error_description": f"{TOKEN}\n{SECRET}"})
        assert caught.value.description == "*** ***"
