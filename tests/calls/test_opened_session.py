from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.service import Service


def test_an_edited_connection_is_a_session_of_its_own(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cookies stay; a call that is under way goes on with what it has."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())

    async def main() -> tuple[Any, ...]:
        async with OAuth2Hook("my_api", method="GET").asession() as session:
            async with session.get("x") as pending:
                first = session.current
                assert first is not None
                first.jar.update_cookies({"kept": "yes"}, pending.url)
                monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(scope="write"))
                await session.auth.client.aget_token(force=True)
                assert session.outdated
                await (await session.get("y")).read()
                assert not session.outdated
                second = session.current
                body = await pending.json()
            assert second is not None
        return first, second, body, session.current

    first, second, body, current = asyncio.run(main())
    assert first is not second
    assert first.session.closed
    assert second.session.closed
    assert current is None
    assert body["target"] == "/api/x"
    assert service.calls[1].header("Cookie") == "kept=yes"


def test_hosts_elsewhere_have_a_session_without_cookies(service: Service) -> None:
    async def main() -> None:
        async with OAuth2Hook(method="GET", connection=service.connection()).asession() as session:
            await (await session.get("x")).read()
            opened = session.current
            assert opened is not None
            assert opened.elsewhere() is opened.elsewhere()
            assert opened.elsewhere() is not opened.session
            # Without a client certificate they have their connections in common.
            assert opened.elsewhere().connector is opened.session.connector

    asyncio.run(main())
