"""What the tests of triggers have in common."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.service import Service


@pytest.fixture
def my_api(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of the service, without retries."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(max_retry_attempts=0))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What triggers sleep between polls; a moment in truth."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def short(seconds: float, *args: Any) -> Any:
        if seconds > 5:
            pauses.append(seconds)
            seconds = 0.01
        return await sleep(seconds, *args)

    monkeypatch.setattr("airflow_oauth_provider.triggers.watcher.asyncio.sleep", short)
    return pauses
