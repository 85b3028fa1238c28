"""Hooks for connections to the plugin's server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.testing.connections import Connections


@pytest.fixture
def hook(oauth2_connection: Connections) -> Callable[..., OAuth2Hook]:
    """Make a hook for a connection with these extra fields."""

    def make(**extra: Any) -> OAuth2Hook:
        return OAuth2Hook(oauth2_connection("orders_api", **{"scope": "read", **extra}), method="GET")

    return make
