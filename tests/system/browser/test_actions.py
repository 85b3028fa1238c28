"""Step by step, Check all and Try, in a real browser."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import jwt
import pytest

from airflow_oauth_provider.authorizations import AT_ONCE
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, ScriptedServer, token_json
from tests.support.waiting import until
from tests.system.browser.airflow_server import AirflowServer
from tests.system.browser.marks import MARKS

# The suites of older Airflow versions collect this file too, without a browser.
pytest.importorskip("playwright.sync_api", reason="needs the dev extra")

from playwright.sync_api import expect

from tests.system.browser import pages
from tests.system.browser.servers_page import LOADED, Add, authorize, held_back, opened, row

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = MARKS


def test_authorize_step_by_step(airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer) -> None:
    value = jwt.encode({"iss": "https://idp.example/<b>x</b>", "exp": int(time.time()) + 3600}, "k" * 32)
    tokens.script(token_json(value))
    add("orders", scope="read")
    frame = opened(page, airflow)
    authorize(frame, "orders")
    page.set_viewport_size({"width": 400, "height": 800})
    message = frame.locator(".toast p").last.bounding_box()
    assert message is not None
    assert message["width"] > 220, "all of the width, so that it is short"
    assert message["height"] < 90
    page.set_viewport_size({"width": 1280, "height": 800})
    frame.get_by_role("button", name="Step by step").click()
    dialog = frame.get_by_role("dialog", name="orders: step by step")
    expect(dialog.locator(".steps li")).to_have_count(7)
    expect(dialog).to_contain_text("Name resolved")
    expect(dialog).to_contain_text("https://idp.example/<b>x</b>")
    expect(dialog).to_contain_text("Not verified")
    pages.screenshot(page, "servers-steps")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert len(tokens.requests) == 1

    row(frame, "orders").get_by_role("link", name="orders").click()
    expect(frame.get_by_role("heading", name="orders", exact=True)).to_be_visible()
    frame.locator("html").evaluate(LOADED)
    tokens.script(Json({"error": "invalid_client"}, 401))
    frame.get_by_role("button", name="Authorize orders").click()
    card = frame.locator("#outcome")
    expect(card.locator(".badge.bad")).to_have_count(1)
    expect(card.locator("li").last).to_contain_text("invalid_client")
    pages.screenshot(page, "servers-steps-refused")
    card.get_by_role("button", name="Close: step by step").press("Enter")
    expect(card).to_have_count(0)
    expect(frame.locator("*:focus")).to_have_attribute("id", "headline")
    assert value.rpartition(".")[2] not in frame.locator("html").inner_html()


def test_check_all_fills_in_row_after_row(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    waiting = threading.Semaphore(0)

    def grant(request: RecordedRequest) -> ScriptedResponse:
        if b"scope=refused" in request.body:
            return Json({"error": "invalid_scope"}, 400)
        return token_json()

    gate = held_back(tokens, grant, arrived=waiting.release)
    for number in range(6):
        add(f"api_{number}", scope="read")
    add("refused_api", scope="refused")
    frame = opened(page, airflow)
    frame.get_by_role("button", name="Check all").click()
    for _ in range(AT_ONCE):
        assert waiting.acquire(timeout=60)
    expect(frame.locator("tr.checking")).to_have_count(AT_ONCE)
    expect(frame.get_by_role("status").filter(has_text="0 of 7 checked")).to_be_visible()
    pages.screenshot(page, "servers-checking")
    assert len(tokens.requests) == AT_ONCE
    gate.set()
    expect(frame.get_by_text("7 of 7 checked, 1 failed.")).to_be_visible()
    for number in range(6):
        expect(row(frame, f"api_{number}")).to_have_attribute("data-status", "authorized")
    expect(row(frame, "refused_api")).to_have_attribute("data-status", "refused")
    expect(frame.locator("section.progress li")).to_have_text("refused_api: Not authorized: invalid_scope")
    expect(frame.locator("tr.checking")).to_have_count(0)
    pages.screenshot(page, "servers-checked")
    frame.get_by_role("button", name="Close", exact=True).click()
    expect(frame.locator("section.progress")).to_have_count(0)
    assert len(tokens.requests) == 7


def test_check_all_obeys_the_filters_and_can_be_stopped(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    gate = held_back(tokens)
    for number in range(6):
        add(f"api_{number}", scope="read", category="sales")
    add("other", scope="read", category="finance")
    frame = opened(page, airflow)
    frame.locator("#category").select_option("sales")
    expect(frame.locator("tbody tr")).to_have_count(6)
    frame.get_by_role("button", name="Check all").click()
    until(lambda: len(tokens.requests) == AT_ONCE, "four checks under way")
    expect(frame.get_by_text("0 of 6 checked")).to_be_visible()
    frame.get_by_role("button", name="Stop").click()
    gate.set()
    expect(frame.get_by_text("Stopped: 0 of 6 checked, 0 failed.")).to_be_visible()
    expect(frame.locator("tr.checking")).to_have_count(0)
    frame.get_by_role("button", name="Check all").click()
    expect(frame.get_by_text("6 of 6 checked, 0 failed.")).to_be_visible()
    assert {request.header("Authorization") for request in tokens.requests} != set()
    assert len(tokens.requests) <= AT_ONCE + 6


def test_try_is_greyed_without_allow_lists_and_the_server_refuses_it_too(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer, complaints: list[str]
) -> None:
    add("orders", base_url=f"{tokens.url}/api")
    frame = opened(page, airflow)
    row(frame, "orders").get_by_role("link", name="orders").click()
    expect(frame.get_by_role("heading", name="orders", exact=True)).to_be_visible()
    frame.locator("html").evaluate(LOADED)
    button = frame.get_by_role("button", name="Try")
    expect(button).to_have_attribute("aria-disabled", "true")
    button.click(force=True)
    expect(frame.locator(".toast").last).to_contain_text("allowed_token_hosts and allowed_api_hosts")
    # What is greyed guards nothing.
    frame.locator("#try").evaluate(
        """form => {
            form.elements.path.disabled = false;
            form.querySelector("button").removeAttribute("aria-disabled");
            delete form.querySelector("button").dataset.reason;
        }"""
    )
    with page.expect_response("**/try/orders") as answered:
        button.click()
    assert answered.value.status == 403
    expect(frame.locator("#trial")).to_contain_text("allowed_token_hosts and allowed_api_hosts")
    pages.screenshot(page, "servers-try")
    assert tokens.requests == []
    assert all("403" in complaint for complaint in complaints)
    complaints.clear()
