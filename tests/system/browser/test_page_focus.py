"""The page "OAuth 2.0 servers" by keyboard and by ear: where the focus is, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.servers.scripted import Json, ScriptedServer
from tests.system.browser.airflow_server import AirflowServer
from tests.system.browser.marks import MARKS

# The suites of older Airflow versions collect this file too, without a browser.
pytest.importorskip("playwright.sync_api", reason="needs the dev extra")

from playwright.sync_api import expect

from airflow_oauth_provider.plugin.entry import PREFIX
from tests.system.browser.contrast import faint_edges
from tests.system.browser.servers_page import LOADED, Add, authorize, expect_names, held_back, opened, row
from tests.system.browser.spoken import accessible, nameless

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page

pytestmark = MARKS

#: Timers of three seconds and more are held until they are let go: nobody waits for a message to leave.
HOLD_TIMERS = """() => {
    const start = window.setTimeout;
    window.held = [];
    window.setTimeout = (run, wait) => (wait >= 3000 ? window.held.push(run) : start(run, wait));
}"""
LET_GO = "() => window.held.splice(0).forEach(run => run())"
#: Whether what has the focus is really there to be seen, and nothing lies on it.
SEEN = """element => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const at = document.elementFromPoint(left + width / 2, top + height / 2);
    return at !== null && (element.contains(at) || at.contains(element));
}"""


def details_of(page: Page, frame: FrameLocator, name: str) -> None:
    row(frame, name).get_by_role("link", name=name).click()
    expect(frame.get_by_role("heading", name=name, exact=True)).to_be_visible()
    frame.locator("html").evaluate(LOADED)


def test_what_the_filters_leave_is_read_aloud(airflow: AirflowServer, page: Page, add: Add) -> None:
    add("billing", category="finance")
    add("orders", category="sales")
    frame = opened(page, airflow)
    spoken = frame.locator("#spoken")
    expect(spoken).to_have_text("")
    expect(spoken).to_have_attribute("role", "status")
    frame.locator("#search").type("bill")
    expect(spoken).to_have_text("1 OAuth 2.0 server")
    frame.locator("#search").fill("")
    expect(spoken).to_have_text("2 OAuth 2.0 servers")
    authorize(frame, "orders")
    expect(row(frame, "orders")).to_have_attribute("data-status", "authorized")
    expect(spoken).to_have_text("2 OAuth 2.0 servers")


def test_a_message_stays_while_it_is_used_and_gives_the_keyboard_back(
    airflow: AirflowServer, page: Page, add: Add
) -> None:
    add("orders", scope="read")
    frame = opened(page, airflow)
    focused, messages = frame.locator("*:focus"), frame.locator(".toast")
    frame.locator("html").evaluate(HOLD_TIMERS)
    frame.locator("#authorize-orders").focus()
    page.keyboard.press("Enter")
    expect(row(frame, "orders")).to_have_attribute("data-status", "authorized")
    expect(focused).to_have_attribute("id", "authorize-orders")
    more = frame.get_by_role("button", name="Step by step")
    more.focus()
    frame.locator("html").evaluate(LET_GO)
    expect(messages).to_have_count(1)
    page.keyboard.press("Enter")
    dialog = frame.get_by_role("dialog", name="orders: step by step")
    expect(dialog).to_be_visible()
    assert nameless(page) == []
    frame.locator("html").evaluate(LET_GO)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(focused).to_have_text("Step by step")
    page.keyboard.press("Escape")
    expect(messages).to_have_count(0)
    expect(focused).to_have_attribute("id", "authorize-orders")
    page.keyboard.press("Enter")
    expect(messages).to_have_count(1)
    expect(focused).to_have_attribute("id", "authorize-orders")
    page.mouse.move(1, 1)
    frame.locator("html").evaluate(LET_GO)
    expect(messages).to_have_count(0)


def test_what_a_person_does_meanwhile_is_not_undone(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    gate = held_back(tokens)
    add("orders", base_url=f"{tokens.url}/api")
    frame = opened(page, airflow)
    focused = frame.locator("*:focus")
    frame.locator("#authorize-orders").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    gate.set()
    expect(row(frame, "orders")).to_have_attribute("data-status", "authorized")
    expect(focused).to_have_attribute("id", "open-orders")

    details_of(page, frame, "orders")
    gate.clear()
    frame.locator("#authorize-orders").focus()
    page.keyboard.press("Enter")
    frame.locator("#try-path").evaluate("path => { path.disabled = false; path.value = '/orders?page=2'; }")
    frame.locator("#defaults summary").focus()
    page.keyboard.press("Enter")
    gate.set()
    expect(frame.locator("#outcome")).to_be_visible()
    expect(frame.locator("#try-path")).to_have_value("/orders?page=2")
    expect(frame.locator("#defaults")).to_have_attribute("open", "")


def test_escape_hides_why_a_button_is_greyed(airflow: AirflowServer, page: Page, add: Add) -> None:
    add("orders")
    frame = opened(page, airflow)
    details_of(page, frame, "orders")
    reason, button = frame.locator("#why-try"), frame.get_by_role("button", name="Try")
    button.focus()
    expect(reason).to_be_visible()
    page.keyboard.press("Escape")
    expect(reason).to_be_hidden()
    expect(frame.locator("*:focus")).to_have_text("Try")
    page.keyboard.press("Shift+Tab")
    button.focus()
    expect(reason).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_has_a_name_and_an_edge(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer, theme: str
) -> None:
    tokens.script(Json({"error": "invalid_client"}, 401))
    add("orders", category="sales")
    page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    frame = opened(page, airflow)
    authorize(frame, "orders")
    expect_names(frame, "orders")
    assert nameless(page) == []
    assert faint_edges(frame) == []
    page.set_viewport_size({"width": 400, "height": 800})
    assert ("rowheader", "orders") in accessible(page), "cards are rows of a table all the same"
    page.set_viewport_size({"width": 1280, "height": 800})
    details_of(page, frame, "orders")
    frame.get_by_role("button", name="Forget token: orders").click()
    assert nameless(page) == []
    assert faint_edges(frame) == []
    page.keyboard.press("Escape")
    frame.locator("#edit").click()
    expect(frame.get_by_role("heading", name="Edit orders")).to_be_visible()
    frame.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    names = [name for role, name in accessible(page) if role in {"button", "checkbox"} and name]
    assert nameless(page) == []
    assert len(names) == len(set(names)), "each says what it is for"
    assert faint_edges(frame) == []


def test_nothing_lies_on_what_has_the_focus(airflow: AirflowServer, page: Page, add: Add) -> None:
    for number in range(12):
        add(f"api-{number:02}")
    page.set_viewport_size({"width": 1280, "height": 500})
    frame = opened(page, airflow)
    frame.locator("#authorize-api-11").focus()
    for _ in range(16):
        page.keyboard.press("Shift+Tab")
        assert frame.locator("*:focus").evaluate(SEEN), "below the headings that stick"
    frame.locator("html").evaluate("(_, address) => location.assign(address)", f"{PREFIX}/new")
    expect(frame.get_by_role("heading", name="New OAuth 2.0 server")).to_be_visible()
    frame.locator("html").evaluate(LOADED)
    expect(frame.locator("#in-host")).to_have_attribute("aria-required", "true")
    frame.locator("#in-conn_id").focus()
    for _ in range(16):
        page.keyboard.press("Tab")
        assert frame.locator("*:focus").evaluate(SEEN), "above the buttons that stick"
