"""New and Edit on the page "OAuth 2.0 servers", as a person uses them in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_oauth_provider.plugin.entry import PREFIX
from tests.support.keys import RSA, pem
from tests.support.servers.scripted import Json, ScriptedServer
from tests.system.browser.airflow_server import AirflowServer
from tests.system.browser.marks import MARKS

# The suites of older Airflow versions collect this file too, without a browser.
pytest.importorskip("playwright.sync_api", reason="needs the dev extra")

from playwright.sync_api import expect

from tests.support.waiting import until
from tests.system.browser import pages
from tests.system.browser.contrast import faint_texts
from tests.system.browser.servers_page import (
    LOADED,
    Add,
    expect_no_scrolling,
    opened,
    path_of,
    row,
    tab_to,
)

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page

pytestmark = MARKS


def opened_form(page: Page, airflow: AirflowServer, button: str = "#new") -> FrameLocator:
    frame = opened(page, airflow)
    frame.locator(button).click()
    frame.locator("#form").wait_for()
    frame.locator("html").evaluate(LOADED)  # only then its script listens
    return frame


def opened_edit(page: Page, airflow: AirflowServer, name: str) -> FrameLocator:
    frame = opened(page, airflow)
    frame.locator("html").evaluate("(_, path) => location.assign(path)", f"{PREFIX}/edit/{name}")
    frame.locator("#form").wait_for()
    frame.locator("html").evaluate(LOADED)
    return frame


def fill(frame: FrameLocator, **values: str) -> None:
    for key, value in values.items():
        frame.locator(f"#in-{key}").fill(value)


def problem(frame: FrameLocator, key: str) -> str:
    frame.locator(f"#field-{key}.wrong").wait_for()
    return str(frame.locator(f"#problem-{key}").inner_text())


@pytest.mark.fault("F51")
def test_a_new_server_from_the_first_click_to_its_token(
    airflow: AirflowServer, page: Page, tokens: ScriptedServer, complaints: list[str]
) -> None:
    frame = opened_form(page, airflow)
    pages.screenshot(page, "servers-new")
    fill(frame, conn_id="made_here", max_wait="soon")
    frame.locator("#save").click()
    for key in ("host", "login", "password", "max_wait"):
        assert problem(frame, key)
    fill(frame, host=f"{tokens.url}/token", login="me", scope="read", category="sales", max_wait="")
    frame.locator("#save").click()
    assert "is missing" in problem(frame, "password")
    expect(frame.locator("#in-password")).to_be_focused()
    expect(frame.locator("#in-scope")).to_have_value("read")
    fill(frame, password="the secret", max_wait="30")
    for name, value in (("realm", "prod"), ("gone", "x"), ("tenant", "emea")):
        frame.get_by_role("button", name="Add: Post parameters").click()
        last = frame.locator("#field-post_params .rows > .row").last
        expect(last.locator(".of-name")).to_be_focused()
        page.keyboard.type(name)
        page.keyboard.press("Tab")
        page.keyboard.type(value)
    frame.get_by_role("button", name="Remove this row of Post parameters").nth(1).click()
    expect(frame.locator("#field-post_params .rows > .row")).to_have_count(2)
    frame.locator("#save").click()
    expect(frame.get_by_role("heading", name="made_here", exact=True)).to_be_visible()
    try:
        expect(frame.locator(".toast")).to_contain_text("made_here: Saved. Authorized until ")
        expect(frame.locator("#state .badge").first).to_have_text("Authorized")
        assert path_of(frame) == f"{PREFIX}/connections/made_here"
        stored = airflow.stored_connection("made_here")
        assert (stored["login"], stored["password"]) == ("me", "the secret")
        assert stored["extra"]["post_params"] == ["realm=prod", "tenant=emea"]
        assert tokens.requests[0].form["realm"] == ["prod"]
    finally:
        airflow.delete_connection("made_here")
    complaints.clear()  # the browser reports the 422


def test_a_refused_one_stays_saved_and_is_mended_by_edit(
    airflow: AirflowServer, page: Page, add: Add, tokens: ScriptedServer
) -> None:
    add("orders", scope="nothing", post_params=["a=b"], secret_params="pin=hidden-pin")
    tokens.script(
        lambda request: (
            Json({"error": "invalid_scope"}, 400)
            if b"nothing" in request.body
            else Json({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
        )
    )
    frame = opened_edit(page, airflow, "orders")
    assert "hidden-pin" not in frame.locator("html").inner_html()
    expect(frame.locator("#field-post_params .of-name")).to_have_value("a")
    fill(frame, description="خادم التفويض")
    frame.locator("#save").click()
    expect(frame.locator(".toast")).to_contain_text("orders: Saved, but not authorized: invalid_scope")
    expect(frame.locator("#state .badge").first).to_have_text("Refused")
    frame.locator("#edit").click()
    frame.locator("#form").wait_for()
    frame.locator("html").evaluate(LOADED)
    expect(frame.locator("#in-description")).to_have_value("خادم التفويض")
    fill(frame, scope="read")
    pages.screenshot(page, "servers-edit")
    frame.locator("#save").click()
    expect(frame.locator("#state .badge").first).to_have_text("Authorized")
    assert airflow.stored_connection("orders")["extra"]["secret_params"] == "pin=hidden-pin"


def test_two_people_edit_at_once(airflow: AirflowServer, page: Page, add: Add, complaints: list[str]) -> None:
    add("orders", scope="read")
    frame = opened_edit(page, airflow, "orders")
    fill(frame, description="mine")
    airflow.patch_connection("orders", login="theirs").raise_for_status()
    frame.locator("#save").click()
    expect(frame.locator("#problem")).to_contain_text("Somebody else has changed this connection")
    expect(frame.locator("#in-description")).to_have_value("mine")
    assert airflow.stored_connection("orders")["description"] is None
    link = frame.get_by_role("link", name="What is stored now")
    expect(link).to_have_attribute("href", f"{PREFIX}/connections/orders")
    pages.screenshot(page, "servers-edit-conflict")
    frame.get_by_role("button", name="Save my changes on top").click()
    frame.get_by_role("heading", name="Last refusal").wait_for()
    stored = airflow.stored_connection("orders")
    assert (stored["login"], stored["description"]) == ("theirs", "mine")
    complaints.clear()  # the browser reports the 409


def test_a_preset_and_a_key_file(
    airflow: AirflowServer, page: Page, tmp_path: Path, complaints: list[str]
) -> None:
    frame = opened_form(page, airflow)
    fill(frame, conn_id="zen", login="by hand")
    frame.locator("#preset").select_option("zendesk")
    expect(frame.locator("#preset-tenant")).to_be_focused()
    page.keyboard.type("acme")
    page.keyboard.press("Enter")
    expect(frame.locator("#in-host")).to_have_value("https://acme.zendesk.com/oauth/tokens")
    expect(frame.locator("#in-body_format")).to_have_value("json")
    expect(frame.locator("#in-login")).to_have_value("by hand")
    pages.screenshot(page, "servers-new-preset")
    fill(frame, password="x")
    frame.locator("#save").click()
    assert "needs it" in problem(frame, "scope")
    frame.locator("#in-auth_method").select_option("private_key_jwt")
    large, key = tmp_path / "large.p12", tmp_path / "key.pem"
    large.write_bytes(bytes(1_000_000))
    key.write_text(pem(RSA))
    frame.locator("#file-private_key").set_input_files(large)
    assert "977 KiB" in problem(frame, "private_key")
    frame.locator("#file-private_key").set_input_files(key)
    fill(frame, scope="read", password="")
    page.set_viewport_size({"width": 400, "height": 800})
    expect_no_scrolling(frame)
    with page.expect_request("**/oauth2-servers/create") as sent:
        frame.locator("#save").click()
    body = sent.value.post_data_json
    try:
        assert set(body["files"]) == {"private_key"}
        assert (body["preset"], body["tenant"], body["fields"]["scope"]) == ("zendesk", "acme", "read")
        until(
            lambda: airflow.call("GET", "/connections/zen").ok, "it is saved, though no such host is reached"
        )
        frame.get_by_role("heading", name="zen", exact=True).wait_for()
    finally:
        airflow.delete_connection("zen")
    complaints.clear()  # the browser reports the 422


def test_the_form_by_keyboard_in_dark_mode(airflow: AirflowServer, page: Page, add: Add) -> None:
    add("orders")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    frame = opened(page, airflow)
    frame.locator("#search").focus()
    tab_to(page, frame, "new")
    page.keyboard.press("Enter")
    frame.locator("#form").wait_for()
    frame.locator("html").evaluate(LOADED)
    expect(frame.locator("html")).to_have_class("dark")
    frame.locator("#preset").focus()
    tab_to(page, frame, "in-conn_id")
    tab_to(page, frame, "in-post_params")
    page.keyboard.press("Enter")
    page.keyboard.type("name only")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(frame.locator("#in-post_params")).to_be_focused()
    assert faint_texts(frame) == []
    pages.screenshot(page, "servers-new-dark")
    tab_to(page, frame, "save")
    frame.get_by_role("link", name="Cancel").click()
    expect(row(frame, "orders")).to_be_visible()
