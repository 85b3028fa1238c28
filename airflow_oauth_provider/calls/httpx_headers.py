"""Headers of httpx: looked up by name without a long way, and printed without the token."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
from multidict import CIMultiDict

HIDDEN = "***"


class HiddenHeaders(httpx.Headers):
    """Headers that show no value of some names to whoever prints them; httpx hides but two by itself.

    :param hidden: those names.
    """

    def __init__(self, headers: httpx.Headers, hidden: Iterable[str]) -> None:
        super().__init__(headers)
        self._hidden = frozenset(name.lower() for name in hidden)

    def __repr__(self) -> str:
        shown = [(name, HIDDEN if name in self._hidden else value) for name, value in self.multi_items()]
        return repr(httpx.Headers(shown))


def fields(headers: httpx.Headers) -> CIMultiDict[bytes]:
    """Return headers in a form in which two names are looked up faster, with the time to make it."""
    return CIMultiDict([(name.decode("latin-1"), value) for name, value in headers.raw])
