"""The script of the page "OAuth 2.0 servers": the keyboard, and answers that are not those of the page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.servers.scripted import Held, ScriptedServer, token_json
from tests.system.browser.airflow_server import AirflowServer
from tests.system.browser.marks import MARKS

# The suites of older Airflow versions collect this file too, without a browser.
pytest.importorskip("playwright.sync_api", reason="needs the dev extra")

from playwright.sync_api import expect

from tests.system.browser import pages
from tests.system.browser.servers_page import LOADED, Add, expect_names, opened, row, tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = MARKS


def test_the_keyboard_is_enough(airflow: AirflowServer, page: Page, add: Add) -> None:
    add("billing", category="finance")
    add("orders", category="sales")
    frame = opened(page, airflow)
    focused = frame.locator("*:focus")
    frame.locator("#search").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(frame.locator("tbody tr")).to_have_count(1)
    expect_names(frame, "orders")
    tab_to(page, frame, "authorize-orders")
    assert (
        frame.locator("#authorize-orders").evaluate("button => getComputedStyle(button).outlineStyle")
        == "solid"
    )
    pages.screenshot(page, "servers-keyboard")
    page.keyboard.press("Enter")
    expect(row(frame, "orders")).to_have_attribute("data-status", "authorized")
    expect(focused).to_have_attribute("id", "authorize-orders")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(frame.get_by_role("heading", name="orders", exact=True)).to_be_visible()


def test_sorting_and_forgetting_by_keyboard(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    tokens.script(token_json())
    add("billing", scope="b")
    add("orders", scope="a")
    frame = opened(page, airflow)
    focused = frame.locator("*:focus")
    frame.locator("#status").focus()
    tab_to(page, frame, "sort-scope")
    page.keyboard.press("Enter")
    expect(frame.locator("th.scope")).to_have_attribute("aria-sort", "ascending")
    expect_names(frame, "orders", "billing")
    expect(focused).to_have_attribute("id", "sort-scope")
    page.keyboard.press("Enter")
    expect(frame.locator("th.scope")).to_have_attribute("aria-sort", "descending")

    row(frame, "orders").get_by_role("link").focus()
    page.keyboard.press("Enter")
    frame.get_by_role("heading", name="Last refusal").wait_for()
    frame.locator("html").evaluate(LOADED)
    frame.locator(".crumbs a").focus()
    tab_to(page, frame, "authorize-orders")
    page.keyboard.press("Enter")
    expect(frame.locator("#state .badge").first).to_have_text("Authorized")
    expect(focused).to_have_attribute("id", "authorize-orders")
    page.keyboard.press("Shift+Tab")
    expect(focused).to_have_attribute("id", "forget-orders")
    page.keyboard.press("Space")
    expect(frame.locator("#before-forgetting")).to_contain_text("No DAG is known to use it.")
    page.keyboard.press("Escape")
    expect(frame.locator("#before-forgetting")).to_be_hidden()
    expect(focused).to_have_attribute("id", "forget-orders")
    page.keyboard.press("Space")
    expect(focused).to_have_text("Forget it")
    page.keyboard.press("Enter")
    expect(frame.locator("#state .badge").first).to_have_text("Not yet")
    expect(focused).to_have_attribute("id", "forget-orders")


def test_turning_pages_by_keyboard(airflow: AirflowServer, page: Page, add: Add) -> None:
    for number in range(101):
        add(f"api-{number:03}")
    frame = opened(page, airflow)
    focused = frame.locator("*:focus")
    frame.locator("#authorize-api-099").focus()
    page.keyboard.press("Tab")
    expect(focused).to_have_attribute("id", "next")
    page.keyboard.press("Enter")
    expect(frame.get_by_text("Page 2 of 2", exact=True)).to_be_visible()
    expect_names(frame, "api-100")
    expect(focused).to_have_attribute("id", "previous")
    page.keyboard.press("Enter")
    expect(frame.get_by_text("Page 1 of 2", exact=True)).to_be_visible()
    expect(focused).to_have_attribute("id", "next")


def test_clear_filters_on_a_page_opened_with_a_query(airflow: AirflowServer, page: Page, add: Add) -> None:
    add("orders", category="sales")
    frame = opened(page, airflow)
    query = "?text=zzz&category=sales&status=refused"
    frame.locator("html").evaluate("(_, query) => location.assign(query)", query)
    expect(frame.locator("#search")).to_have_value("zzz")
    frame.locator("html").evaluate(LOADED)  # only then its script listens
    frame.locator("#clear").focus()
    page.keyboard.press("Enter")
    expect(frame.locator("tbody tr")).to_have_count(1)
    for name in ("search", "category", "status"):
        expect(frame.locator(f"#{name}")).to_have_value("")
    expect(frame.locator("*:focus")).to_have_attribute("id", "search")
    frame.locator("#search").type("zz")
    expect(frame.locator("#clear")).to_be_visible()


def test_two_authorize_at_once(airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer) -> None:
    pressed = threading.Event()
    tokens.script(lambda request: Held(pressed, token_json()) if b"slow" in request.body else token_json())
    for name in ("fast", "slow"):
        add(name, auth_method="client_secret_post")
    frame = opened(page, airflow)
    frame.get_by_role("button", name="Authorize slow").click()
    frame.get_by_role("button", name="Authorize fast").click()
    expect(row(frame, "fast")).to_have_attribute("data-status", "authorized")
    slow = frame.locator("#authorize-slow")
    expect(slow).to_have_class("working")
    expect(slow).to_have_attribute("aria-label", "Authorizing slow")
    slow.click(force=True)
    pressed.set()
    expect(row(frame, "slow")).to_have_attribute("data-status", "authorized")
    expect(slow).not_to_have_class("working")
    expect(slow).to_have_attribute("aria-label", "Authorize slow")
    assert len(tokens.requests) == 2, "it could not be pressed twice"


@pytest.mark.parametrize(
    ("status", "body"),
    [(502, "<html><body><h1>502 Bad Gateway</h1></body></html>"), (200, "<form>Sign in</form>")],
    ids=["proxy", "login"],
)
def test_an_answer_that_is_not_the_pages(
    airflow: AirflowServer, page: Page, add: Add, complaints: list[str], status: int, body: str
) -> None:
    add("orders")
    frame = opened(page, airflow)
    toasts = frame.locator(".toast.error")

    def respond(route: Any) -> None:
        route.fulfill(status=status, content_type="text/html", body=body)

    page.route("**/oauth2-servers/**", respond)
    try:
        frame.locator("#search").type("o")
        expect(toasts).to_have_count(1)
        expect(toasts).to_contain_text("not from this page")
        expect_names(frame, "orders")  # what was shown stays
        toasts.evaluate("toast => { toast.dataset.first = true; }")
        frame.get_by_role("button", name="Authorize orders").click()
        expect(frame.locator("[data-first]")).to_have_count(0)
        expect(toasts).to_have_count(1)
        expect(frame.locator("#authorize-orders")).not_to_have_class("working")
        pages.screenshot(page, "servers-foreign-answer")
    finally:
        page.unroute("**/oauth2-servers/**")
    assert "null" not in frame.locator("main").inner_text()
    frame.locator("#search").fill("no such")
    expect(frame.locator("#clear")).to_be_visible()
    frame.locator("#search").fill("orders")
    expect(frame.locator("tbody tr")).to_have_count(1)
    frame.get_by_role("button", name="Authorize orders").click()
    expect(row(frame, "orders")).to_have_attribute("data-status", "authorized")
    complaints.clear()  # the browser reports the status
