"""A connection to the plugin's server, whose API tells what came in."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.endpoints import ApiEndpoint, Request
from airflow_oauth_provider.testing.server import OAuth2Server


def echo(request: Request) -> dict[str, Any]:
    """Tell what came in."""
    return {
        "method": request.method,
        "target": request.target,
        "authorization": request.headers["authorization"],
        "body": request.body.decode(),
    }


@pytest.fixture
def api(oauth2_server: OAuth2Server, oauth2_connection: Connections) -> ApiEndpoint:
    """The API of ``my_api``."""
    oauth2_connection("my_api", scope="read")
    oauth2_server.api.route("*", echo, method="*")
    return oauth2_server.api


@pytest.fixture
def secret(api: ApiEndpoint) -> str:
    """The client secret of ``my_api``."""
    password: str = BaseHook.get_connection("my_api").password
    return password
