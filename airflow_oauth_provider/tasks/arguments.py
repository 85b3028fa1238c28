"""Arguments that operator, sensor and triggers read alike."""

from __future__ import annotations

from collections.abc import Iterable


def header_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return names of headers as a tuple; one alone may be given as text."""
    return (names,) if isinstance(names, str) else tuple(names)
