from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.calls.call_flow import Credential
from airflow_oauth_provider.calls.refusals import MAX_RETRY_AFTER, obeyed_retry_after, refusal_of
from airflow_oauth_provider.calls.response import ReadResponse, note_credential
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ResourceError
from tests.support.service import Service

URL = "https://api.example/v1/ordrs?key=the-value"


def response(body: Any = b"", status: int = 404, **headers: str) -> ReadResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    pairs.append(("Content-Type", "application/json"))
    return ReadResponse(status, "NOT FOUND", URL, pairs, data, "GET")


@pytest.mark.fault("F40")
def test_it_says_method_address_status_and_what_the_api_said(service: Service) -> None:
    client = OAuth2Client("my_api", service.connection())
    client.get_token()
    error = refusal_of(response({"message": "no such thing", "echo": "a-client-secret"}), client, "no such")
    assert isinstance(error, ResourceError)
    assert (error.method, error.status, error.conn_id) == ("GET", 404, "my_api")
    for text in ("GET https://api.example/v1/ordrs", "404 NOT FOUND", "message"):
        assert text in str(error)
    for hidden in ("the-value", "a-client-secret", "no such"):
        assert hidden not in str(error) + str(error.body) + str(error.url)


@pytest.mark.fault("F10")
def test_a_refusal_that_is_remembered(service: Service) -> None:
    client = OAuth2Client("my_api", service.connection())
    refused = response(status=401)
    note_credential(refused, Credential(new=False, refusal_remembered=True))
    assert refusal_of(refused, client).retryable
    assert not refusal_of(response(status=401), client).retryable


@pytest.mark.fault("F15")
@pytest.mark.parametrize(
    ("value", "seconds"), [(None, None), ("7", 7.0), ("999999999", MAX_RETRY_AFTER), ("soon", None)]
)
def test_an_hour_is_obeyed_at_the_most(value: str | None, seconds: float | None) -> None:
    headers = {} if value is None else {"Retry_After": value}
    assert obeyed_retry_after(response(status=503, **headers)) == seconds
