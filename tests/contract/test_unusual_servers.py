"""Servers that are not RFC 6749's or RFC 6750's, called by threads and by coroutines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import TokenResponseError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.servers.scripted import Answer, Json, RecordedRequest
from tests.support.service import Service
from tests.support.sides import Side

UNUSUAL: dict[str, Any] = {
    "auth_method": "client_secret_post",
    "body_format": "json",
    "grant_name": "service_credentials",
    "answer_fields": ["access_token=$.data.token", "expires_in=$.data.lifetime"],
    "expires_in_unit": "milliseconds",
    "tolerate": ["created", "untyped"],
}


def created(request: RecordedRequest) -> Answer:
    """Answer as no server of RFC 6749 does."""
    assert json.loads(request.body)["grant_type"] == "service_credentials"
    return Json({"data": {"token": "tok-json", "lifetime": 600_000}}, 201)


def test_a_token_request_and_response_of_another_shape(side: Side, service: Service) -> None:
    service.token = created
    hook = OAuth2Hook(method="GET", connection=service.connection(**UNUSUAL))
    assert side.run(hook, "x").json()["authorization"] == "Bearer tok-json"
    assert side.token(hook).lifetime == 600
    (request,) = service.token_requests
    assert request.header("Content-Type") == "application/json"
    assert request.target == "/token"


@pytest.mark.parametrize("name", ["answer_fields", "tolerate"])
def test_strict_is_the_default(side: Side, service: Service, name: str) -> None:
    service.token = created
    strict = {key: value for key, value in UNUSUAL.items() if key != name}
    with pytest.raises(TokenResponseError):
        side.run(OAuth2Hook(method="GET", connection=service.connection(**strict)), "x")
    assert service.calls == []
