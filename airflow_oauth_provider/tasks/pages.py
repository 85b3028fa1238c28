"""Page after page of a response, with a line in the log for each."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from requests import Response

log = logging.getLogger(__name__)

MAX_COUNTED = 4 * 1024 * 1024
"""Bytes of the largest page whose items are counted: to parse it only for that takes time."""


class PageLog:
    """Counts the pages of one call, and the items in them where they can be counted."""

    def __init__(self) -> None:
        self._pages = 0
        self._items: int | None = 0

    def add(self, response: Response) -> None:
        """Log a page."""
        self._pages += 1
        items = count_items(response)
        if items is None or self._items is None:
            self._items = None  # a total without some of them would be wrong
            size = len(response.content or b"")
            log.info("page %d: %s", self._pages, f"{size} bytes" if items is None else _number(items))
            return
        self._items += items
        log.info("page %d: %s, %d so far", self._pages, _number(items), self._items)


def _number(items: int) -> str:
    return "1 item" if items == 1 else f"{items} items"


def count_items(response: Response) -> int | None:
    """Return the number of a page's items: of its array, or of the only array among its members.

    :return: ``None`` where there is none, or several, or the page is larger than 4 MiB.
    """
    if response.content is None or len(response.content) > MAX_COUNTED:
        return None
    try:
        document: Any = response.json()
    except (ValueError, RecursionError):
        return None
    members = document.values() if isinstance(document, dict) else [document]
    arrays = [member for member in members if isinstance(member, list)]
    return len(arrays[0]) if len(arrays) == 1 else None


def next_call(first: dict[str, Any], page: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the next page's call.

    :param first: ``endpoint``, ``data``, ``headers`` and ``extra_options`` of the first.
    :param page: what differs: dicts are merged into those of the first call, all else replaces it.
    """
    return {**first, **{name: _merged(first.get(name), value) for name, value in page.items() if value}}


def _merged(first: Any, page: Any) -> Any:
    if not isinstance(first, dict) or not isinstance(page, dict):
        return page
    return {**first, **{name: _merged(first.get(name), value) for name, value in page.items()}}
