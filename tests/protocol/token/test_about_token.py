"""What introspection and revocation have in common, with a reader of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.redaction import NOTHING
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.token.about_token import message_about_token
from airflow_oauth_provider.protocol.token.introspection import INTROSPECTION
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, http_response, settings

URL = parse_url("https://idp.example/introspect")


def read(*arguments: Any, **named: Any) -> Any:
    return arguments, named


def test_it_is_sent_to_the_endpoint_with_the_token_in_its_body() -> None:
    message = message_about_token(settings(), INTROSPECTION, URL, Secret("tok-1"), read, entropy=bytes)
    request = message.build(settings(), NOW)
    assert request is not None
    assert request.url == str(URL)
    assert parse_qs(request.body.decode()) == {"token": ["tok-1"], "token_type_hint": ["access_token"]}
    assert "tok-1" not in repr(request)


def test_the_reader_is_given_the_located_endpoint() -> None:
    given = settings()
    message = message_about_token(given, INTROSPECTION, URL, Secret("tok-1"), read, entropy=bytes)
    response = http_response({"active": True})
    arguments, named = message.read(response, Moment(NOW, 0.0), NOTHING)
    assert arguments == (given, response)
    assert named == {"endpoint": message.endpoint, "redactor": NOTHING}
    assert message.endpoint.origin_of(given) == URL.origin
