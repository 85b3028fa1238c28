"""httpx and aiohttp as their pages show them."""

from __future__ import annotations

import asyncio

import pytest

from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.server import OAuth2Server
from tests.support.consumer_pages import run


@pytest.fixture
def instead(oauth2_server: OAuth2Server, oauth2_connection: Connections) -> dict[str, str]:
    oauth2_connection("orders_api")
    oauth2_server.api.route("orders", lambda request: [request.headers["authorization"]])
    return {"https://api.example/v1": oauth2_server.base_url}


@pytest.mark.consumer("httpx")
def test_httpx(instead: dict[str, str]) -> None:
    assert run("httpx", instead)["orders"] == ["Bearer token-1"]


@pytest.mark.consumer("aiohttp")
def test_aiohttp(instead: dict[str, str]) -> None:
    assert asyncio.run(run("aiohttp", instead)["orders"]()) == ["Bearer token-1"]
