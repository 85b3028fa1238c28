"""One Airflow for all tests in a browser: starting it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.connection.provider_form import default_extra
from tests.conftest import require_server
from tests.readme import ROOT
from tests.support.servers.scripted import ScriptedServer
from tests.system.browser.airflow_server import AirflowServer
from tests.system.browser.servers_page import Add

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="session")
def airflow() -> Iterator[AirflowServer]:
    """Airflow itself, with this provider installed; clients of its REST API get tokens, too."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.system.browser.client_auth_manager.ClientAuthManager",
    }
    with AirflowServer(environment=environment) as server:
        yield server


@pytest.fixture(scope="module")
def signed_in(airflow: AirflowServer) -> Iterator[Page]:
    """One browser for all tests here: starting it and signing in is the slow part."""
    from tests.system.browser import pages  # the suites of older Airflow versions have no Playwright

    if not pages.CHROMIUM:
        require_server("chromium not found: install the Debian package of that name")
    with pages.browser() as page:
        pages.log_in(page, airflow.url, "admin", airflow.password)
        yield page


@pytest.fixture
def complaints(signed_in: Page) -> Iterator[list[str]]:
    """What the browser complains about in the page: nothing, in the end."""
    messages: list[str] = []

    def listen(message: Any) -> None:
        if message.type == "error":  # Airflow's frame brings about a warning of its own
            messages.append(message.text)

    signed_in.on("console", listen)
    yield messages
    signed_in.remove_listener("console", listen)


@pytest.fixture
def page(signed_in: Page, complaints: list[str]) -> Iterator[Page]:
    """A window of the usual size, in light mode."""
    signed_in.set_viewport_size({"width": 1280, "height": 800})
    yield signed_in
    signed_in.evaluate("localStorage.clear()")
    assert complaints == []


@pytest.fixture
def tokens() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def add(airflow: AirflowServer, tokens: ScriptedServer) -> Iterator[Add]:
    """Add connections; they are gone after the test."""
    added = []

    def add_one(name: str, **fields: Any) -> None:
        values: dict[str, Any] = {
            "host": f"{tokens.url}/token",
            "login": name,
            "password": f"secret of {name}",
        }
        for key in ("host", "login", "password", "description"):
            if key in fields:
                values[key] = fields.pop(key)
        airflow.add_connection(name, CONNECTION_TYPE, extra=default_extra() | fields, **values)
        added.append(name)

    yield add_one
    for name in added:
        airflow.delete_connection(name)
