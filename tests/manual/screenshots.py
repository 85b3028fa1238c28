"""``make screenshots``: pictures of form and page for the manual, from a real Airflow, in light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_oauth_provider.connection.fields import CONNECTION_TYPE, HOOK_NAME
from airflow_oauth_provider.connection.provider_form import default_extra
from tests.readme import ROOT
from tests.support.servers.scripted import Json, ScriptedServer, token_json
from tests.system.browser import pages
from tests.system.browser.airflow_server import AirflowServer
from tests.system.browser.servers_page import authorize, opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = ROOT / "docs" / "pictures"
MOST = 400_000
"""Bytes of all pictures of the manual together."""
_WINDOW = {"width": 1180, "height": 620}
_FORM = {"width": 1000, "height": 880}
_ALLOWED = {
    "AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS": "127.0.0.1",
    "AIRFLOW__OAUTH2__ALLOWED_API_HOSTS": "api.example",
}
_CONNECTIONS = {
    "orders_api": ("sales", "orders.read orders.write", "Orders of the web shop"),
    "warehouse": ("sales", "stock.read", "Stock of all warehouses"),
    "payroll": ("finance", "salaries.read", "Monthly export"),
    "tickets": ("support", "read", ""),
}


def connections(airflow: AirflowServer, server: ScriptedServer) -> None:
    """Add some, as a company may have them."""
    for name, (category, scope, description) in _CONNECTIONS.items():
        airflow.add_connection(
            name,
            CONNECTION_TYPE,
            host=f"{server.url}/token",
            login="nightly-import",
            password=f"secret of {name}",
            description=description,
            extra=default_extra() | {"category": category, "scope": scope},
        )


def servers_page(page: Page, airflow: AirflowServer, server: ScriptedServer) -> None:
    """Bring the page about: two are authorized, one is refused, one has not been used."""
    frame = opened(page, airflow)
    for name in ("orders_api", "warehouse"):
        server.script(token_json(f"token-of-{name}", expires_in=3600, scope=_CONNECTIONS[name][1]))
        authorize(frame, name)
    server.script(Json({"error": "invalid_client", "error_description": "the secret has ended"}, 401))
    authorize(frame, "payroll")


def take(page: Page, airflow: AirflowServer, theme: str) -> None:
    """Take both pictures in one theme."""
    page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    page.set_viewport_size(_WINDOW)
    frame = opened(page, airflow)
    frame.get_by_role("link", name="orders_api", exact=True).wait_for()
    table = frame.locator("table").bounding_box()
    assert table is not None
    seen = {"x": 0.0, "y": 0.0, "width": float(_WINDOW["width"]), "height": table["y"] + table["height"] + 12}
    page.screenshot(path=FOLDER / f"page-{theme}.png", clip=seen)
    page.set_viewport_size(_FORM)
    pages.open_connections(page, airflow.url)
    form = pages.add_connection(page, "orders_api", HOOK_NAME)
    form.open_section("Essentials")
    form.fill("Scope", "orders.read")
    form.fill("API base URL", "https://api.example/v1")
    form.dialog.get_by_text("Essentials", exact=True).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.screenshot(path=FOLDER / f"form-{theme}.png")
    page.goto(f"{airflow.url}/connections")


def main() -> None:
    """Take all pictures.

    :raises SystemExit: when they are too large together.
    """
    with AirflowServer(environment=_ALLOWED) as airflow, ScriptedServer() as server, pages.browser() as page:
        pages.log_in(page, airflow.url, "admin", airflow.password)
        connections(airflow, server)
        servers_page(page, airflow, server)
        for theme in ("light", "dark"):
            take(page, airflow, theme)
    sizes = {file.name: file.stat().st_size for file in sorted(FOLDER.iterdir())}
    print(sizes, "together", sum(sizes.values()), "bytes")
    if sum(sizes.values()) >= MOST:
        raise SystemExit(f"more than {MOST} bytes")


if __name__ == "__main__":
    main()
