"""One Airflow for all tests in a browser: starting it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.airflow_server import AirflowServer


@pytest.fixture(scope="session")
def airflow() -> Iterator[AirflowServer]:
    """Airflow itself, with this provider installed."""
    with AirflowServer() as server:
        yield server
