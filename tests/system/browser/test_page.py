"""The page "OAuth 2.0 servers" in Airflow, as people of two roles use it, in a real browser."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.connection.provider_form import default_extra
from airflow_oauth_provider.plugin.entry import NAME, PREFIX
from tests.support.servers.oidc_server import OidcServer
from tests.support.servers.scripted import Held, Json, ScriptedServer, token_json
from tests.support.waiting import until
from tests.system.browser.airflow_server import AirflowServer
from tests.system.browser.marks import MARKS

# The suites of older Airflow versions collect this file too, without a browser.
pytest.importorskip("playwright.sync_api", reason="needs the dev extra")

from playwright.sync_api import expect

from tests.system.browser import pages
from tests.system.browser.contrast import faint_texts
from tests.system.browser.servers_page import (
    Add,
    authorize,
    expect_names,
    expect_no_scrolling,
    opened,
    path_of,
    row,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = MARKS

CUT = """cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1
    || cell.scrollHeight > cell.clientHeight + 1 && cell.clientHeight > 0).map(cell => cell.innerText)"""
BESIDE = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.innerText)"
LONG_HOST = "login.identity-platform.eu-central-1.production.corp-internal-services.example"
CATEGORY = "people & \"culture\" <b>'x'</b>"


@pytest.mark.fault("F44", "F51")
def test_it_stands_under_admin_and_looks_at_home(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    add("orders_api", scope="orders.read orders.write", category="sales", description="Orders of the shop")
    add(
        "a_rather_long_name_of_a_connection_for_marketing",
        category=CATEGORY,
        scope=" ".join(f"scope.{n}" for n in range(40)),
    )
    add("broken", host="ftp://idp.example", category="finance")
    add("far_away", host=f"https://{LONG_HOST}/token", category="x" * 40)
    page.goto(airflow.url)
    page.get_by_role("button", name="Admin").click()
    page.get_by_role("menuitem", name=NAME).wait_for()
    pages.screenshot(page, "servers-menu")
    page.get_by_role("menuitem", name=NAME).click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="4 OAuth 2.0 servers")).to_be_visible()
    assert row(frame, "orders_api").locator("td").all_inner_texts()[:6] == [
        "orders_api",
        "sales",
        urlsplit(tokens.url).netloc,
        "client_secret_basic",
        "orders.read orders.write",
        "Not yet",
    ]
    expect(row(frame, "broken")).to_contain_text("Wrong configuration")
    expect(frame.get_by_text("allowed_token_hosts is empty")).to_be_visible()
    expect(frame.get_by_text("about the host")).to_be_visible()
    for width in (1440, 1280, 1210, 1024, 860, 640, 400):
        page.set_viewport_size({"width": width, "height": 800})
        expect_no_scrolling(frame)
        whole = "td.name, td.name a, td.method, td.host, td.category, td.category *, .status .badge"
        assert frame.locator(whole).evaluate_all(CUT) == []
        assert frame.locator("td.status .lines").evaluate_all(BESIDE) == []
        if width > 760:
            expect(frame.get_by_role("button", name="Authorize orders_api")).to_be_in_viewport()
        pages.screenshot(page, f"servers-{width}")
    heights = frame.locator("tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert max(heights) > 100, "a card a row"
    page.set_viewport_size({"width": 1440, "height": 800})
    heights = frame.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [row.dataset.name, row.offsetHeight])"
    )
    assert dict(heights)["orders_api"] < 60, "two lines at most, where nothing is long"
    expect(row(frame, "far_away").locator("td.host")).to_have_text(LONG_HOST)


def test_filters_and_sorting(airflow: AirflowServer, page: Page, add: Add) -> None:
    add("billing", category="finance", scope="z")
    add("ledger", category="finance", host="ftp://idp.example")
    add("payroll", category=CATEGORY, scope="a")
    frame = opened(page, airflow)
    search, category, status = (frame.locator(f"#{name}") for name in ("search", "category", "status"))

    assert category.locator("option").all_inner_texts() == ["All categories", "finance", CATEGORY]
    category.select_option(CATEGORY)
    expect(frame.locator("tbody tr")).to_have_count(1)
    expect_names(frame, "payroll")
    category.select_option("finance")
    status.select_option("Wrong configuration")
    expect(frame.locator("tbody tr")).to_have_count(1)
    expect_names(frame, "ledger")
    search.type("bill")
    expect(frame.get_by_text("No OAuth 2.0 server matches")).to_be_visible()
    pages.screenshot(page, "servers-no-match")
    frame.get_by_role("link", name="Clear filters").click()
    expect(frame.locator("tbody tr")).to_have_count(3)
    assert search.input_value() == category.input_value() == status.input_value() == ""

    frame.get_by_role("link", name="Scope").click()
    expect(frame.locator("th.scope")).to_have_attribute("aria-sort", "ascending")
    expect_names(frame, "ledger", "payroll", "billing")
    frame.get_by_role("link", name="Scope").click()
    expect(frame.locator("th.scope")).to_have_attribute("aria-sort", "descending")
    search.type("ll")
    expect(frame.locator("tbody tr")).to_have_count(2)
    expect_names(frame, "billing", "payroll")

    search.fill("no such")
    expect(frame.locator("#clear")).to_be_visible()
    search.fill("ll")
    expect_names(frame, "billing", "payroll")
    page.set_viewport_size({"width": 640, "height": 800})  # cards have no headings
    expect(frame.locator("#sort-scope")).to_be_hidden()
    expect(frame.locator("#sort")).to_have_value("-scope")
    frame.locator("#sort").focus()
    frame.locator("#sort").select_option("Name (Z-A)")
    expect_names(frame, "payroll", "billing")
    expect(frame.locator("*:focus")).to_have_attribute("id", "sort")
    frame.locator("#sort").select_option("Name (A-Z)")
    expect_names(frame, "billing", "payroll")
    until(lambda: page.evaluate("location.search") == "?text=ll", "the usual order is not in the address")


def test_authorize_with_the_right_and_with_a_wrong_secret(
    airflow: AirflowServer, page: Page, add: Add, oidc: OidcServer
) -> None:
    client = oidc.clients["basic"]
    right = {"host": oidc.token_url, "login": client.client_id, "scope": "read"}
    add("right", **right, password=client.secret)
    add("wrong", **right, password="a wrong secret")
    before = airflow.stored_connection("wrong")
    oidc.reset()
    frame = opened(page, airflow)

    assert "Authorized until " in authorize(frame, "right")
    expect(row(frame, "right").locator(".badge")).to_have_text("Authorized")
    refusal = authorize(frame, "wrong")
    assert "invalid_client" in refusal
    assert "Check client id and secret" in refusal
    expect(row(frame, "wrong")).to_have_attribute("data-status", "refused")
    assert [request["status"] for request in oidc.requests()] == [200, 401]
    pages.screenshot(page, "servers-authorized-and-refused")

    row(frame, "wrong").get_by_role("link", name="wrong").click()
    expect(frame.get_by_role("heading", name="Last refusal")).to_be_visible()
    text = frame.locator("main").inner_text()
    assert "invalid_client" in text
    assert "Check client id and secret" in text
    assert "HTTP 401" in text
    pages.screenshot(page, "servers-refused-details")
    frame.get_by_role("button", name="Authorize wrong").click()
    expect(frame.locator(".toast").last).to_contain_text("wrong: Not authorized: invalid_client")
    text = frame.locator("body").inner_text()
    assert text.count("Check client id and secret") == 1, "beside the refusal, and not in the message"
    assert airflow.stored_connection("wrong") == before
    for secret in ("a wrong secret", str(client.secret)):
        assert secret not in frame.locator("html").inner_html() + airflow.log()


def test_details_tell_the_settings_without_secrets_and_the_token_can_be_forgotten(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    tokens.script(token_json(scope="orders.read"))
    add("orders", scope="orders.read orders.write", secret_params="pin=hidden-pin", description="Nightly")
    frame = opened(page, airflow)
    row(frame, "orders").get_by_role("link").click()
    expect(frame.get_by_role("heading", name="orders", exact=True)).to_be_visible()
    assert path_of(frame) == f"{PREFIX}/connections/orders"
    frame.get_by_role("button", name="Authorize orders").click()
    expect(frame.locator("#state .badge").first).to_have_text("Authorized")
    details = frame.locator("main").inner_text()
    for text in ("Nightly", "Not granted", "Granted scopes\norders.read", "Secret post parameters\nset"):
        assert text in details
    assert "hidden-pin" not in frame.locator("html").inner_html()
    expect(frame.get_by_text("Maximum retry attempts")).to_be_hidden()
    frame.get_by_text("more have their defaults").click()
    expect(frame.get_by_text("Maximum retry attempts")).to_be_visible()
    pages.screenshot(page, "servers-details")
    for width in (760, 400):
        page.set_viewport_size({"width": width, "height": 800})
        expect_no_scrolling(frame)
    frame.get_by_role("button", name="Forget token: orders").click()
    frame.get_by_role("button", name="Forget it").click()
    expect(frame.locator("#state .badge").first).to_have_text("Not yet")
    frame.locator("#edit").click()
    expect(frame.get_by_role("heading", name="Edit orders")).to_be_visible()
    assert "hidden-pin" not in frame.locator("html").inner_html()


def test_an_edited_connection_says_so_until_it_is_authorized_again(
    airflow: AirflowServer, page: Page, add: Add
) -> None:
    add("orders", scope="read")
    frame = opened(page, airflow)
    authorize(frame, "orders")
    expect(row(frame, "orders")).to_have_attribute("data-status", "authorized")
    airflow.patch_connection("orders", extra=default_extra() | {"scope": "read write"}).raise_for_status()
    frame = opened(page, airflow)
    expect(row(frame, "orders").locator(".badge")).to_have_text("Edited since")
    pages.screenshot(page, "servers-edited-since")
    authorize(frame, "orders")
    expect(row(frame, "orders")).to_have_attribute("data-status", "authorized")


FIVE_REFUSALS = """
from airflow.models.connection import Connection
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.exceptions import InvalidClientError
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.tokens.entries import Entries
policy = read_policy()
settings = resolve(Connection.get_connection_from_secrets("orders"), policy).settings
for _ in range(5):
    error = InvalidClientError("no", status=401, error="invalid_client")
    Entries(settings, policy.sharing).refused(error, budget=60)
"""


def test_a_client_that_tasks_were_refused_too_often_is_disabled(
    airflow: AirflowServer, page: Page, add: Add
) -> None:
    add("orders")
    airflow.python("-c", FIVE_REFUSALS)
    frame = opened(page, airflow)
    expect(row(frame, "orders").locator(".badge")).to_have_text("Disabled")
    expect(row(frame, "orders")).to_contain_text("5 times in a row")
    pages.screenshot(page, "servers-disabled")
    authorize(frame, "orders")
    expect(row(frame, "orders")).to_have_attribute("data-status", "authorized")


def test_while_a_server_is_slow_the_button_says_so_and_the_page_goes_on(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    seen = threading.Event()
    tokens.script(Held(seen, token_json()))
    add("orders")
    add("slow")
    frame = opened(page, airflow)
    frame.get_by_role("button", name="Authorize slow").click()
    button = frame.get_by_role("button", name="Authorizing slow")
    expect(button).to_have_class("working")
    frame.locator("#search").type("slow")
    expect(frame.locator("tbody tr")).to_have_count(1)
    seen.set()
    expect(row(frame, "slow")).to_have_attribute("data-status", "authorized")


def test_loading_and_a_server_that_has_gone(
    airflow: AirflowServer, page: Page, add: Add, complaints: list[str]
) -> None:
    add("orders")
    frame = opened(page, airflow)
    held: list[Any] = []
    page.route("**/oauth2-servers/?*", lambda route: held.insert(0, route))
    try:
        frame.locator("#status").select_option("Refused")
        expect(frame.locator("#results")).to_have_attribute("aria-busy", "true")
        expect(frame.locator("#bar")).to_have_css("opacity", "1")
        pages.screenshot(page, "servers-loading")
        held.pop().abort()
        expect(frame.get_by_text("Airflow did not answer")).to_be_visible()
        pages.screenshot(page, "servers-gone")
    finally:
        page.unroute("**/oauth2-servers/?*")
    expect(frame.locator("#results")).to_have_attribute("aria-busy", "false")
    expect_names(frame, "orders")
    complaints.clear()  # the browser reports what was cut off


def test_a_connection_that_is_deleted_while_shown(
    airflow: AirflowServer, page: Page, add: Add, complaints: list[str]
) -> None:
    for name in ("doomed", "gone", "other"):
        add(name)
    frame = opened(page, airflow)
    airflow.delete_connection("doomed")
    frame.get_by_role("button", name="Authorize doomed").click()
    expect(frame.get_by_text("no OAuth 2.0 connection “doomed”")).to_be_visible()
    expect(frame.locator("tbody tr")).to_have_count(2)
    airflow.delete_connection("gone")
    row(frame, "gone").get_by_role("link").click()
    expect(frame.get_by_role("heading", name="Not found")).to_be_visible()
    pages.screenshot(page, "servers-deleted")
    frame.get_by_role("link", name="All OAuth 2.0 servers").click()
    expect(frame.locator("tbody tr")).to_have_count(1)
    complaints.clear()  # the browser reports each 404


def test_dark_mode_follows_airflow(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    add("orders", category="sales", scope="orders.read")
    frame = opened(page, airflow)
    assert faint_texts(frame) == []
    light = frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    tokens.script(Json({"error": "invalid_scope"}, 400))
    frame = opened(page, airflow)
    authorize(frame, "orders")
    expect(frame.locator("html")).to_have_class("dark")
    colour = "getComputedStyle(document.documentElement).getPropertyValue('--chakra-colors-bg').trim()"
    dark = page.evaluate(colour)
    assert frame.locator("html").evaluate("html => html.style.getPropertyValue('--bg')") == dark
    assert frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") != light
    assert faint_texts(frame) == []
    pages.screenshot(page, "servers-dark")
    row(frame, "orders").get_by_role("link").click()
    frame.get_by_role("heading", name="Last refusal").wait_for()
    assert faint_texts(frame) == []
    pages.screenshot(page, "servers-dark-details")
    page.evaluate("document.documentElement.className = 'light'")
    expect(frame.locator("html")).not_to_have_class("dark")
    assert faint_texts(frame) == []


@pytest.mark.fault("F42")
def test_times_are_told_in_the_zone_chosen_in_airflow(airflow: AirflowServer, page: Page, add: Add) -> None:
    add("orders")
    frame = opened(page, airflow)
    authorize(frame, "orders")
    time = frame.locator("tbody td.authorized time")
    expect(time).to_have_text("just now")
    browsers = frame.locator("html").evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    assert f"({browsers})" in (time.get_attribute("title") or ""), "without a choice, as Airflow does"
    page.evaluate("localStorage.setItem('timezone', '\"Asia/Kolkata\"')")
    frame = opened(page, airflow)
    expect(time).to_have_attribute("title", re.compile(r" GMT\+5:30 \(Asia/(Kolkata|Calcutta)\)$"))
    assert "GMT+5:30." in authorize(frame, "orders"), "and so do messages"
    row(frame, "orders").get_by_role("link").click()
    exact = frame.locator("#results time").first
    expect(exact).to_have_attribute("title", re.compile(r"GMT\+5:30"))


@pytest.mark.fault("F51")
def test_filters_stand_in_the_address_and_last(airflow: AirflowServer, page: Page, add: Add) -> None:
    add("billing", category="finance")
    add("orders", category="sales", host="ftp://idp.example")
    frame = opened(page, airflow)
    frame.locator("#category").select_option("sales")
    expect_names(frame, "orders")
    expect(frame.locator("#chip-wrong_configuration")).to_contain_text("1 wrong configuration")
    frame.locator("#chip-wrong_configuration").click()
    expect(frame.locator("#status")).to_have_value("wrong_configuration")
    expected = "?category=sales&status=wrong_configuration"
    until(lambda: page.evaluate("location.search") == expected, "the filters in Airflow's own address")
    row(frame, "orders").get_by_role("link").click()
    frame.get_by_role("heading", name="orders", exact=True).wait_for()
    frame.locator(".crumbs a").click()
    frame.locator("#filters").wait_for()
    expect_names(frame, "orders")
    # Airflow takes the frame's address over when all of it is there, which is after its rows.
    until(lambda: page.evaluate("location.search") == expected, "the list in Airflow's own address")
    until(lambda: "/connections/" not in page.evaluate("location.pathname"), "no connection's address")
    page.reload()
    expect_names(frame, "orders")
    expect(frame.locator("#category")).to_have_value("sales")
    frame.locator("#chip-wrong_configuration").click()
    expect(frame.locator("#status")).to_have_value("")


@pytest.mark.fault("F51")
def test_what_was_read_stays_folded_and_headings_stick(airflow: AirflowServer, page: Page, add: Add) -> None:
    for number in range(30):
        add(f"api-{number:02}")
    page.set_viewport_size({"width": 400, "height": 800})
    frame = opened(page, airflow)
    folded = frame.locator("#warnings")
    expect(folded).not_to_have_attribute("open", "")  # there is no room for it
    expect(folded.locator("summary")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    frame = opened(page, airflow)
    expect(folded).to_have_attribute("open", "")
    expect(folded).to_contain_text("allowed_token_hosts = ")
    folded.locator("summary").click()
    frame = opened(page, airflow)
    expect(frame.locator("#warnings")).not_to_have_attribute("open", "")
    frame.locator("#authorize-api-29").scroll_into_view_if_needed()
    expect(frame.locator("#sort-name")).to_be_in_viewport()


FORGED = """
<form method="post" action="TARGET" enctype="text/plain"><input name='{"a":"' value='"}'></form>
<script>
const body = {method: "POST", credentials: "include", body: "{}"};
const json = {...body, headers: {"Content-Type": "application/json"}};
const plain = {...body, mode: "no-cors", headers: {"Content-Type": "text/plain"}};
Promise.allSettled([fetch("TARGET", json), fetch("TARGET", plain)]).then(() => document.forms[0].submit());
</script>"""


class Elsewhere(BaseHTTPRequestHandler):
    """A page of another origin that sends what the page would, as far as browsers let it."""

    target = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(FORGED.replace("TARGET", self.target).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def elsewhere(target: str) -> Iterator[str]:
    handler = type("Handler", (Elsewhere,), {"target": target})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_page_of_another_origin_cannot_authorize(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer, complaints: list[str]
) -> None:
    add("orders")
    with elsewhere(f"{airflow.url}{PREFIX}/authorize/orders") as address:
        page.goto(address)  # the same site for cookies: they are sent along
        page.wait_for_url(f"{airflow.url}/**")
    expect(page.get_by_text("not sent by the page")).to_be_visible()
    assert tokens.requests == []
    complaints.clear()  # the browser reports what it refused


def test_a_viewer_reads_a_message(
    airflow: AirflowServer, page: Page, add: Add, complaints: list[str]
) -> None:
    add("orders")
    page.context.clear_cookies()
    try:
        pages.log_in(page, airflow.url, "viewer", airflow.password)
        frame = opened(page, airflow)
        expect(frame.get_by_role("heading", name="No access to connections")).to_be_visible()
        assert "orders" not in frame.locator("html").inner_html()
        pages.screenshot(page, "servers-viewer")
    finally:
        page.context.clear_cookies()
    page.goto(f"{airflow.url}{PREFIX}/")
    expect(page.get_by_role("heading", name="Please sign in")).to_be_visible()
    pages.screenshot(page, "servers-anonymous")
    pages.log_in(page, airflow.url, "admin", airflow.password)
    complaints.clear()  # the browser reports each 401 and 403


def test_below_a_path_with_testing_switched_off(
    page: Page, tokens: ScriptedServer, complaints: list[str]
) -> None:
    environment = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Disabled",
        "AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS": "127.0.0.1",
        "AIRFLOW__OAUTH2__ALLOWED_API_HOSTS": "127.0.0.1",
    }
    with AirflowServer(environment=environment, path="/airflow") as airflow:
        pages.log_in(page, airflow.url, "admin", airflow.password)
        complaints.clear()  # the browser reports the 401 before
        frame = opened(page, airflow)
        expect(frame.get_by_role("heading", name="No OAuth 2.0 servers yet")).to_be_visible()
        pages.screenshot(page, "servers-none")
        airflow.add_connection(
            "orders", CONNECTION_TYPE, host=f"{tokens.url}/token", login="me", password="the secret"
        )
        frame = opened(page, airflow)
        button = frame.get_by_role("button", name="Authorize orders")
        expect(button).to_have_attribute("aria-disabled", "true")
        button.focus()
        reason = frame.get_by_role("tooltip")
        expect(reason).to_be_visible()
        expect(reason).to_contain_text("test_connection = Enabled")
        pages.screenshot(page, "servers-switched-off")
        page.keyboard.press("Enter")
        expect(frame.locator(".toast")).to_contain_text("test_connection = Enabled")
        row(frame, "orders").get_by_role("link").click()
        expect(frame.get_by_role("heading", name="orders", exact=True)).to_be_visible()
        assert path_of(frame) == f"/airflow{PREFIX}/connections/orders"
        assert tokens.requests == []
