"""httpx, sync and async; what holds for all HTTP libraries stands in ``tests/contract/test_libraries.py``."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest

from airflow_oauth_provider.adapters.httpx import OAuth2Auth
from airflow_oauth_provider.exceptions import ResourceError
from tests.support.libraries import CONTEXT
from tests.support.service import Service


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    with httpx.Client(auth=OAuth2Auth("my_api"), base_url=service.base_url, verify=CONTEXT) as client:
        yield client


def test_a_request_is_left_as_it_is_and_can_be_sent_again(client: httpx.Client, service: Service) -> None:
    request = client.build_request("POST", "/x", json={"a": 1})
    for token in ("tok-1", "tok-2"):
        response = client.send(request)
        assert response.json()["authorization"] == f"Bearer {token}"
        assert json.loads(response.request.content) == {"a": 1}
        service.dead.add("tok-1")
    assert "Authorization" not in request.headers
    assert request.extensions.keys() == {"timeout"}


def test_files_of_a_form_are_sent_again_from_their_beginning(client: httpx.Client, service: Service) -> None:
    service.dead.add("tok-1")
    response = client.post("/x", data={"name": "n"}, files={"file": io.BytesIO(b"contents")})
    assert "contents" in response.json()["body"]
    assert len(service.calls) == 2


def test_a_file_as_body_is_not(client: httpx.Client, service: Service) -> None:
    """httpx would send what is left of it, which is nothing."""
    service.dead.add("tok-1")
    with pytest.raises(ResourceError, match="read only once"):
        client.post("/x", content=io.BytesIO(b"contents"))
    assert len(service.calls) == 1
