"""The history in a browser: seen in light and dark, at each width, and counted down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airflow_oauth_provider.protocol.configured_server import TokenEndpoint
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens.history.counts import Counts
from airflow_oauth_provider.tokens.history.delta import Delta
from airflow_oauth_provider.tokens.history.journal import Journal
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.choice import open_store
from tests.support.servers.scripted import ScriptedServer, token_json
from tests.support.waiting import until
from tests.system.browser import pages
from tests.system.browser.airflow_server import AirflowServer
from tests.system.browser.servers_page import Add, authorize, opened, row

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.xdist_group("browser")]
WORKED = Counts(requests=1, granted=1, from_store=40, from_memory=900)
REFUSED = Counts(requests=1, refused=1, cool_downs=20)


def remember(airflow: AirflowServer, url: str, name: str) -> None:
    """Append a week of which tasks had one bad night."""
    settings = ClientSettings(
        server=TokenEndpoint(parse_url(f"{url}/token")),
        client_id=name,
        client_secret=Secret(f"secret of {name}"),
    )
    sharing = Sharing(open_store("file", airflow.home), history_days=7)
    minute = int(time.time() // 60)
    Journal(name, settings, sharing).append(
        Delta(minute - ago, REFUSED if 300 < ago < 600 else WORKED) for ago in range(0, 7 * 1440, 20)
    )


def test_strips_charts_and_the_countdown(
    page: Page, airflow: AirflowServer, tokens: ScriptedServer, add: Add
) -> None:
    tokens.script(token_json())
    add("history_of_one")
    add("never_used")
    remember(airflow, tokens.url, "history_of_one")
    page.set_viewport_size({"width": 1440, "height": 900})
    frame = opened(page, airflow)
    authorize(frame, "history_of_one")
    strip = row(frame, "history_of_one").get_by_role("img", name="Last 24 hours:")
    for width in (1440, 1024, 860, 640, 400):
        page.set_viewport_size({"width": width, "height": 900})
        strip.wait_for(state="visible")
        pages.screenshot(page, f"history-list-{width}")
    page.set_viewport_size({"width": 1440, "height": 1300})
    row(frame, "history_of_one").get_by_role("link").first.click()
    for name in ("The life of the token:", "Last 24 hours:", "Last 7 days:"):
        frame.get_by_role("img", name=name).wait_for(state="visible")
    left = frame.locator("[data-countdown]")
    before = left.inner_text()
    until(lambda: left.inner_text() != before, "the countdown goes on")
    frame.get_by_role("row", name="Last 24 hours").wait_for()
    pages.screenshot(page, "history-of-one")
