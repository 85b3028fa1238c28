"""httpx and aiohttp as the page shows them."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.recipes import run
from tests.support.servers.scripted import Json
from tests.support.service import Service


@pytest.fixture
def instead(service: Service, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", service.environment(base_url=f"{service.server.url}/v1"))
    service.api = lambda request: Json([request.header("Authorization")])
    return {"https://api.example": service.server.url}


def test_httpx(instead: dict[str, str]) -> None:
    assert run("adapters.httpx", instead)["orders"] == ["Bearer tok-1"]


def test_aiohttp(instead: dict[str, str]) -> None:
    assert asyncio.run(run("async with (", instead)["orders"]()) == ["Bearer tok-1"]
