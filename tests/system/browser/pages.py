"""Airflow's connection pages as a person uses them: by what is written on the screen.

Fields are found by their visible label. Airflow's own ``<label for=…>`` points to nothing for text fields of
a provider, so Playwright's ``get_by_label`` cannot find them; the label's row is what holds both together.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator, Page, Response

CHROMIUM = shutil.which("chromium")
#: The browser's own traffic is switched off, and no name resolves: whatever a page needs must come from here.
FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Milliseconds to wait for something to appear; cores shared with other work can be slow.
PATIENCE = 90_000.0
#: Milliseconds after which something that the page has lost is done again.
_AGAIN = 5_000.0
MASK = "***"

#: Nothing slides or fades: tests need not wait for it, and no picture shows half a field.
#: Airflow's own pages only: a page in its frame may have a policy against styles from elsewhere.
_STAND_STILL = """window === top && document.addEventListener("DOMContentLoaded", () => {
    const style = document.createElement("style");
    style.textContent = "*, *::before, *::after { animation-duration: 0s !important; "
        + "animation-delay: 0s !important; transition-duration: 0s !important }";
    document.head.append(style);
})"""
#: Endless animations (a blinking cursor) do not count.
_NOTHING_MOVES = """() => !document.getAnimations().some(animation =>
    animation.playState === "running" && animation.effect.getComputedTiming().endTime !== Infinity)"""

Value: TypeAlias = str | bool | list[str]


@contextlib.contextmanager
def browser() -> Iterator[Page]:
    """Open a page in a browser of its own, with a profile that is thrown away."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            headless=True,
            args=list(FLAGS),
            viewport={"width": 1400, "height": 1000},
        )
        context.set_default_timeout(PATIENCE)
        context.add_init_script(_STAND_STILL)
        expect.set_options(timeout=PATIENCE)
        try:
            yield context.pages[0] if context.pages else context.new_page()
        finally:
            context.close()


def log_in(page: Page, address: str, user: str, password: str) -> None:
    """Sign in through Airflow's own form."""
    page.goto(f"{address}/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Admin").wait_for()


def screenshot(page: Page, name: str) -> Path:
    """Keep a picture for a person to look at, outside the repository.

    The folder is named by the variable ``SCREENSHOTS``; without it, one below the system's temporary folder.
    The window grows for the picture until the whole form is in it, and shrinks back.
    """
    folder = Path(os.environ.get("SCREENSHOTS") or Path(tempfile.gettempdir()) / "airflow-oauth-screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size or {"width": 1400, "height": 1000}
    dialog = page.get_by_role("dialog")
    if dialog.count():
        tall = int(dialog.evaluate("element => element.scrollHeight")) + 200
        page.set_viewport_size({"width": before["width"], "height": max(before["height"], tall)})
    _settle(page)
    target = folder / f"{name.replace(' ', '-')}.png"
    page.screenshot(path=target)
    page.set_viewport_size(before)
    return target


def _settle(page: Page) -> None:
    """Wait until a section is open: what is animated by script does not ask the style sheet."""
    page.wait_for_function(_NOTHING_MOVES)


def open_connections(page: Page, address: str) -> None:
    """Open the list of connections."""
    page.goto(f"{address}/connections")
    page.get_by_role("button", name="Add Connection").wait_for()


def connection_row(page: Page, conn_id: str) -> Locator:
    """Return the row of the list that shows one connection."""
    return page.get_by_role("row").filter(has=page.get_by_text(conn_id, exact=True))


def add_connection(page: Page, conn_id: str, type_label: str) -> ConnectionForm:
    """Open Add Connection and choose the type by the name people see."""
    page.get_by_role("button", name="Add Connection").click()
    form = ConnectionForm(page)
    form.choose_type(type_label)
    form.fill("Connection ID", conn_id)
    return form


def edit_connection(page: Page, conn_id: str) -> ConnectionForm:
    """Open the form of a stored connection."""
    connection_row(page, conn_id).get_by_role("button", name="Edit Connection").click()
    form = ConnectionForm(page)
    form.save_button.wait_for()
    form.sections_shown.first.wait_for()
    return form


@dataclass(frozen=True)
class TestResult:
    """What the page says after Test, and the status of the answer behind it."""

    __test__ = False  # not a test class, whatever its name

    ok: bool
    message: str
    status: int


@dataclass(frozen=True)
class ConnectionForm:
    """The dialog that adds or edits one connection."""

    page: Page

    @property
    def dialog(self) -> Locator:
        """The dialog itself."""
        return self.page.get_by_role("dialog")

    @property
    def save_button(self) -> Locator:
        """Disabled as long as Airflow finds the form incomplete."""
        return self.dialog.get_by_role("button", name="Save", exact=True)

    @property
    def sections_shown(self) -> Locator:
        """The headings of the sections: there are none before the form knows its type."""
        return self.dialog.locator("[data-scope=accordion][data-part=item-trigger]")

    def sections(self) -> list[str]:
        """Return the headings of the sections in their order."""
        headings: list[str] = self.sections_shown.all_inner_texts()
        return headings

    def choose_type(self, type_label: str) -> None:
        """Choose the type by the name people see, until the form shows the fields of that type.

        Until Airflow knows the types, the dropdown is there, hidden. When the form is drawn again,
        an effect of React puts back the type that was chosen before; on a slow machine that comes
        after the choice, which then is lost.
        """

        def chosen() -> None:
            expect(self.sections_shown.first).to_be_visible(timeout=_AGAIN)
            expect(_choice(self.row("Connection Type"))).to_have_text(type_label, timeout=_AGAIN)

        _repeat(lambda: self.fill("Connection Type", type_label), chosen)

    def open_section(self, name: str) -> None:
        """Open one section. Airflow closes the one that was open."""
        trigger = self.sections_shown.filter(has_text=re.compile(f"^{re.escape(name)}$"))
        if trigger.get_attribute("aria-expanded") == "false":
            trigger.click()
        expect(trigger).to_have_attribute("aria-expanded", "true")
        _settle(self.page)

    def labels(self) -> list[str]:
        """Return the label of every field, in the order of the page, without the star of required ones."""
        texts = self.dialog.locator("label[data-part=label]").all_text_contents()
        return [text.removesuffix("*").strip() for text in texts]

    def required_labels(self) -> list[str]:
        """Return the labels that carry a star."""
        texts = self.dialog.locator("label[data-part=label]").all_text_contents()
        return [text.removesuffix("*").strip() for text in texts if text.rstrip().endswith("*")]

    def row(self, label: str) -> Locator:
        """Return the row of one field, in an opened section."""
        caption = self.page.locator("label", has_text=re.compile(rf"^\s*{re.escape(label)}\s*\*?\s*$"))
        row = self.dialog.locator("[data-scope=field][data-part=root]").filter(has=caption)
        row.wait_for(state="attached")  # only then it is known whether its section is closed
        section = row.locator("xpath=ancestor::*[@data-scope='accordion' and @data-part='item']")
        if section.count() and section.get_attribute("data-state") == "closed":
            section.locator("[data-part=item-trigger]").click()
            _settle(self.page)
        return row

    def fill(self, label: str, value: Value) -> None:
        """Give one field its value, in the way its control wants it. A list is typed one item a line."""
        row = self.row(label)
        if isinstance(value, bool):
            self._switch(row, on=value)
        elif _dropdown(row).count():
            self._choose(_dropdown(row), str(value))
        else:
            self._type(_text_control(row), "\n".join(value) if isinstance(value, list) else value)

    def expect_value(self, label: str, value: Value) -> None:
        """Wait until one field shows its value; of a dropdown the label, not the value behind it."""
        row = self.row(label)
        if isinstance(value, bool):
            expect(row.get_by_role("checkbox")).to_be_checked(checked=value)
        elif _dropdown(row).count():
            expect(_choice(row)).to_have_text([str(value)] if value else [])
        else:
            expect(_text_control(row)).to_have_value(str(value))

    def help_text(self, label: str) -> str:
        """Return the help text of one field."""
        return str(self.row(label).locator("[data-part=helper-text]").inner_text())

    def options(self, label: str) -> list[str]:
        """Return the labels a dropdown offers."""
        combobox = _dropdown(self.row(label))
        combobox.click()
        self.page.get_by_role("option").first.wait_for()
        offered: list[str] = self.page.get_by_role("option").all_inner_texts()
        combobox.blur()  # Escape would close the whole dialog, Tab would choose
        return offered

    def save(self) -> int:
        """Press Save, and return the status of Airflow's answer once the dialog has closed."""
        with self.page.expect_response(_is_saving) as saved:
            self.save_button.click()
        if saved.value.ok:
            self.dialog.wait_for(state="hidden")
        return int(saved.value.status)

    def close(self) -> None:
        """Leave without saving."""
        self.dialog.get_by_role("button", name="Close").click()
        self.dialog.wait_for(state="hidden")

    def _switch(self, row: Locator, *, on: bool) -> None:
        if row.get_by_role("checkbox").is_checked() != on:
            row.locator("[data-scope=switch][data-part=control]").click()
        expect(row.get_by_role("checkbox")).to_be_checked(checked=on)

    def _type(self, control: Locator, text: str) -> None:
        def write() -> None:
            control.fill(text)
            control.blur()

        _repeat(write, lambda: expect(control).to_have_value(text, timeout=_AGAIN))

    def _choose(self, combobox: Locator, option: str) -> None:
        combobox.fill(option)
        self.page.get_by_role("option", name=option, exact=True).click()


def press_test(page: Page, address: str, conn_id: str) -> TestResult:
    """Press the Test button of a row in the list, and read what comes of it.

    The list is loaded afresh, so that no message of an earlier test can be taken for this one's.
    """
    open_connections(page, address)
    with page.expect_response(lambda response: response.url.endswith("/connections/test")) as tested:
        connection_row(page, conn_id).get_by_role("button", name="Test Connection").click()
    toast = page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection")
    title = toast.locator("[data-part=title]").inner_text()
    message = toast.locator("[data-part=description]").inner_text()
    return TestResult(title == "Test Connection Successful", message, tested.value.status)


def _repeat(act: Callable[[], None], check: Callable[[], None]) -> None:
    """Do something again until it has shown an effect that stays."""
    ends_at = time.monotonic() + PATIENCE / 1000
    while True:
        act()
        try:
            check()
        except AssertionError:
            if time.monotonic() > ends_at:
                raise
        else:
            return


def _dropdown(row: Locator) -> Locator:
    """Return the dropdown of a row; as long as it cannot be used yet, it is hidden."""
    return row.get_by_role("combobox", include_hidden=True)


def _choice(row: Locator) -> Locator:
    """Return what stands before the cursor of a dropdown; its placeholder is not a choice."""
    return _dropdown(row).locator("xpath=../preceding-sibling::div[not(contains(@id, 'placeholder'))]")


def _text_control(row: Locator) -> Locator:
    return row.locator("input:not([type=hidden]), textarea").first


def _is_saving(response: Response) -> bool:
    return "/api/v2/connections" in response.url and response.request.method in {"POST", "PATCH"}
