"""httpx and aiohttp as the page shows them."""

from __future__ import annotations

import asyncio

import pytest

from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.server import OAuth2Server
from tests.support.recipes import run


@pytest.fixture
def instead(oauth2_server: OAuth2Server, oauth2_connection: Connections) -> dict[str, str]:
    oauth2_connection("orders_api")
    oauth2_server.api.route("orders", lambda request: [request.headers["authorization"]])
    return {"https://api.example/v1": oauth2_server.base_url}


def test_httpx(instead: dict[str, str]) -> None:
    assert run("adapters.httpx", instead)["orders"] == ["Bearer token-1"]


def test_aiohttp(instead: dict[str, str]) -> None:
    assert asyncio.run(run("async with (", instead)["orders"]()) == ["Bearer token-1"]
