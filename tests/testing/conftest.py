"""The plugin's fixtures, also where the installed package is one without their entry point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.plugin import oauth2_connection, oauth2_server

__all__ = ["oauth2_connection", "oauth2_server"]


@pytest.fixture
def hook(oauth2_connection: Connections) -> Callable[..., OAuth2Hook]:
    """Make a hook for a connection with these extra fields."""

    def make(**extra: Any) -> OAuth2Hook:
        return OAuth2Hook(oauth2_connection("orders_api", **{"scope": "read", **extra}), method="GET")

    return make
