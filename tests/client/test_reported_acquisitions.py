"""What an acquisition reports, by threads and by coroutines."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import TokenEndpointError
from airflow_oauth_provider.tokens.search_cost import Source
from tests.support.servers.scripted import Json, Text
from tests.support.service import Service

pytestmark = pytest.mark.usefixtures("my_api")


def token_of(client: OAuth2Client, *, in_loop: bool, force: bool = False) -> Any:
    return asyncio.run(client.aget_token(force=force)) if in_loop else client.get_token(force=force)


@pytest.fixture(params=[False, True], ids=["thread", "coroutine"])
def in_loop(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_what_a_search_cost(service: Service, in_loop: bool, caplog: pytest.LogCaptureFixture) -> None:
    client = OAuth2Client("my_api")
    with caplog.at_level(logging.INFO):
        token_of(client, in_loop=in_loop)
    assert client.cost.requests == 1
    (line,) = [record.getMessage() for record in caplog.records if "connection=my_api" in record.getMessage()]
    assert "requests=1" in line
    other = OAuth2Client("my_api")
    token_of(other, in_loop=in_loop)
    assert (other.cost.requests, len(service.token_requests)) == (0, 1)


def test_a_refusal_names_the_connection_and_repeats_no_secret(service: Service, in_loop: bool) -> None:
    service.token = lambda _: Json(
        {"error": "invalid_scope", "error_description": "not for a-client-secret"}, 400
    )
    with pytest.raises(TokenEndpointError) as refused:
        token_of(OAuth2Client("my_api"), in_loop=in_loop)
    assert refused.value.conn_id == "my_api"
    assert "a-client-secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_settings_that_an_acquisition_has_used_are_read_again(
    service: Service, in_loop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = OAuth2Client("my_api")
    token_of(client, in_loop=in_loop)
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(password="another-secret"))
    token_of(client, in_loop=in_loop, force=True)
    assert client.settings.client_secret is not None
    assert client.settings.client_secret.reveal() == "another-secret"


def test_a_refused_token_is_renewed_by_the_same_way(service: Service, in_loop: bool) -> None:
    client = OAuth2Client("my_api")
    token = token_of(client, in_loop=in_loop)
    renewed = asyncio.run(client.arenew(token)) if in_loop else client.renew(token)
    assert renewed is not None
    assert renewed.value != token.value
    assert client.cost.renewed
    assert client.cost.source is not Source.STORE


def test_a_failure_is_reported_too(service: Service, in_loop: bool, caplog: pytest.LogCaptureFixture) -> None:
    service.token = lambda _: Text(404, "nothing here")
    with caplog.at_level(logging.INFO), pytest.raises(Exception, match="404"):
        token_of(OAuth2Client("my_api"), in_loop=in_loop)
    assert [record for record in caplog.records if "connection=my_api" in record.getMessage()]
