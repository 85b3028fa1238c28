"""httpx, sync and async; what holds for all HTTP libraries stands in ``tests/contract/test_libraries.py``."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest

from airflow_oauth_provider.adapters.httpx import OAuth2Auth
from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.server import OAuth2Server
from tests.support.libraries import CONTEXT

pytestmark = pytest.mark.consumer("httpx")


@pytest.fixture
def client(oauth2_server: OAuth2Server, oauth2_connection: Connections) -> Any:
    oauth2_server.api.route(
        "x", lambda request: [request.headers["authorization"], request.body.decode()], method="POST"
    )
    auth = OAuth2Auth(oauth2_connection("my_api"))
    with httpx.Client(auth=auth, base_url=oauth2_server.base_url, verify=CONTEXT) as client:
        yield client


def test_a_request_is_left_as_it_is_and_can_be_sent_again(
    client: httpx.Client, oauth2_server: OAuth2Server
) -> None:
    request = client.build_request("POST", "/x", json={"a": 1})
    for token in ("token-1", "token-2"):
        response = client.send(request)
        assert response.json()[0] == f"Bearer {token}"
        assert json.loads(response.request.content) == {"a": 1}
        oauth2_server.expire()
    assert "Authorization" not in request.headers
    assert request.extensions.keys() == {"timeout"}


def test_files_of_a_form_are_sent_again_from_their_beginning(
    client: httpx.Client, oauth2_server: OAuth2Server
) -> None:
    oauth2_server.api.refuse()
    response = client.post("/x", data={"name": "n"}, files={"file": io.BytesIO(b"contents")})
    assert "contents" in response.json()[1]
    assert len(oauth2_server.api.requests) == 2


def test_a_file_as_body_is_not(client: httpx.Client, oauth2_server: OAuth2Server) -> None:
    """httpx would send what is left of it, which is nothing."""
    oauth2_server.api.refuse()
    with pytest.raises(ResourceError, match="read only once"):
        client.post("/x", content=io.BytesIO(b"contents"))
    assert len(oauth2_server.api.requests) == 1
