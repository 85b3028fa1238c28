"""What a screen reader is told of a page: Chromium's own accessibility tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.plugin.entry import PREFIX

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: What somebody hears by its name: what is used, and what a page is passed through by.
NAMED = frozenset(
    {
        *("button", "link", "textbox", "searchbox", "combobox", "checkbox", "switch", "progressbar"),
        *("dialog", "alertdialog", "region", "navigation", "table", "heading", "row header", "rowheader"),
    }
)


def accessible(page: Page) -> list[tuple[str, str]]:
    """Return role and name of all that is told of the page in Airflow's frame."""
    session = page.context.new_cdp_session(page)
    try:
        tree = session.send("Page.getFrameTree")["frameTree"]
        (frame,) = (
            frame for frame in _frames(tree) if PREFIX in frame["url"] and "/plugin/" not in frame["url"]
        )
        nodes = session.send("Accessibility.getFullAXTree", {"frameId": frame["id"]})["nodes"]
    finally:
        session.detach()
    return [(_value(node, "role"), _value(node, "name")) for node in nodes if not node["ignored"]]


def nameless(page: Page) -> list[str]:
    """Return the roles of all that should have a name and has none."""
    return [role for role, name in accessible(page) if role in NAMED and not name.strip()]


def _frames(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree["frame"]
    for child in tree.get("childFrames", ()):
        yield from _frames(child)


def _value(node: dict[str, Any], name: str) -> str:
    return str(node.get(name, {}).get("value", ""))
