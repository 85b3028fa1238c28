"""What tests of the page "OAuth 2.0 servers" do with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.servers.scripted import RecordedRequest, ScriptedResponse, ScriptedServer, token_json
from tests.support.waiting import until
from tests.system.browser.airflow_server import AirflowServer

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Locator, Page

Add = Callable[..., None]
LOADED = """() => document.readyState === "complete"
    || new Promise(done => addEventListener("load", () => done(true), { once: true }))"""


def opened(page: Page, airflow: AirflowServer, path: str = "/plugin/oauth2-servers") -> FrameLocator:
    """Open the page in Airflow and return what is in its frame."""
    page.goto(f"{airflow.url}{path}")
    frame = page.frame_locator("iframe")
    frame.locator("#headline").wait_for()
    frame.locator("html").evaluate(LOADED)  # only then its script listens
    return frame


def held_back(
    server: ScriptedServer,
    answer: Callable[[RecordedRequest], ScriptedResponse] = lambda _: token_json(),
    *,
    arrived: Callable[[], object] = lambda: None,
) -> threading.Event:
    """Let a server hold its responses back until the event is set, and again once it is cleared.

    :param arrived: is called for each request, before that waits.
    """
    gate = threading.Event()

    def respond(request: RecordedRequest) -> ScriptedResponse:
        arrived()
        gate.wait(60)
        return answer(request)

    server.script(respond)
    return gate


def row(frame: FrameLocator, name: str) -> Locator:
    return frame.locator(f"tr[data-name='{name}']")


def expect_names(frame: FrameLocator, *expected: str) -> None:
    """Wait until just these connections are shown, in this order."""
    rows, names = frame.locator("tbody tr"), "rows => rows.map(row => row.dataset.name)"
    until(lambda: rows.evaluate_all(names) == list(expected), f"the rows {expected}")


def expect_no_scrolling(frame: FrameLocator) -> None:
    """Check that nothing of the page lies beside its window."""
    wide, seen = frame.locator("html").evaluate("html => [html.scrollWidth, html.clientWidth]")
    assert wide <= seen


def path_of(frame: FrameLocator) -> str:
    return str(frame.locator("html").evaluate("() => location.pathname"))


def authorize(frame: FrameLocator, name: str) -> str:
    """Press the button of a row and return the message that comes of it."""
    frame.get_by_role("button", name=f"Authorize {name}", exact=True).click()
    message = frame.locator(".toast p").filter(has_text=f"{name}: ").last
    message.wait_for()
    return str(message.inner_text())


def tab_to(page: Page, frame: FrameLocator, element_id: str) -> None:
    """Press Tab until the keyboard is on an element: every one before it is passed, and none is a trap."""
    passed = []
    for _ in range(40):
        page.keyboard.press("Tab")
        passed.append(frame.locator("*:focus").get_attribute("id"))
        if passed[-1] == element_id:
            return
    message = f"{element_id} is not reached: {passed}"
    raise AssertionError(message)
