"""The fixtures ``oauth2_server`` and ``oauth2_connection``.

pytest imports this module in every run of an environment that has the package: it imports nothing but pytest,
and all else when a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_oauth_provider.testing.connections import Connections
    from airflow_oauth_provider.testing.server import OAuth2Server


@pytest.fixture
def oauth2_server() -> Iterator[OAuth2Server]:
    """Run an authorization server and an API on a free port of loopback; they stop with the test."""
    from airflow_oauth_provider.testing.server import OAuth2Server

    with OAuth2Server() as server:
        yield server


@pytest.fixture
def oauth2_connection(oauth2_server: OAuth2Server, monkeypatch: pytest.MonkeyPatch) -> Connections:
    """Make Airflow connections to ``oauth2_server``, in the environment, until the test ends."""
    from airflow_oauth_provider.testing.connections import Connections

    return Connections(oauth2_server, monkeypatch)
