"""A connection to the plugin's server, the job that sensors wait for, and both modes of a sensor."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from airflow_oauth_provider.testing.server import OAuth2Server


@pytest.fixture(autouse=True)
def job(oauth2_server: OAuth2Server, oauth2_connection: Connections) -> ApiEndpoint:
    """The API of ``my_api``, where job 7 is done."""
    oauth2_connection("my_api", max_retry_attempts=0)
    oauth2_server.api.route("job/7", {})
    return oauth2_server.api


@pytest.fixture(params=[False, True], ids=["worker", "deferred"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)
