"""JSON paths: names and indices (RFC 9535 §2.3.1, §2.3.3), and one ``[*]`` where several values are meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, Final

_STEP = re.compile(r"""\.?([A-Za-z_][\w-]*)|\[(-?[0-9]{1,9})\]|\['([^'\\]*)'\]|\["([^"\\]*)"\]""")
_ALL = re.compile(r"\[\*\]|\.\*")
MISSING: Any = object()
"""What a path finds where there is nothing."""


class Wildcard(Enum):
    """The step ``[*]``: every item of an array, or every value of an object (RFC 9535 §2.3.2)."""

    ALL = "*"


ALL: Final = Wildcard.ALL
Path = tuple[str | int, ...]
Step = str | int | Wildcard


class PathError(ValueError):
    """The text is no such path."""


def parse_path(text: str) -> Path:
    """Read a path such as ``$.jobs[0].state``; the leading ``$`` may be left out.

    :raises PathError: when it is malformed.
    """
    steps = _steps(text.removeprefix("$"), several=False)
    return tuple(step for step in steps if not isinstance(step, Wildcard))


def parse_query(text: str) -> tuple[Step, ...]:
    """Read a path in which one ``[*]`` may stand for all items, such as ``$.errors[*].code``.

    :raises PathError: when it is malformed.
    """
    steps = tuple(_steps(text.removeprefix("$"), several=True))
    if steps.count(ALL) > 1:
        raise PathError("has more than one [*]")
    return steps


def _steps(rest: str, *, several: bool) -> Iterator[Step]:
    while rest:
        everything = _ALL.match(rest) if several else None
        match = everything or _STEP.match(rest)
        if match is None:
            raise PathError("is no JSON path of names and indices")
        rest = rest[match.end() :]
        if everything is not None:
            yield ALL
            continue
        name, index, *quoted = match.groups()
        yield int(index) if index is not None else name or quoted[0] or quoted[1] or ""


def at_path(document: Any, steps: Sequence[str | int]) -> Any:
    """Return the value at a path; :data:`MISSING` where there is none.

    A name selects from objects only, and an index from arrays only (RFC 9535 §2.3.1.2, §2.3.3.2).
    """
    for step in steps:
        if not isinstance(document, dict if isinstance(step, str) else list):
            return MISSING
        container: Any = document
        try:
            document = container[step]
        except (KeyError, IndexError):
            return MISSING
    return document


def values_at(document: Any, steps: Sequence[Step]) -> Iterator[Any]:
    """Yield the values at a path with at most one ``[*]`` in it."""
    for at, step in enumerate(steps):
        if not isinstance(step, Wildcard):
            document = at_path(document, (step,))
            continue
        items = document.values() if isinstance(document, dict) else document
        for item in items if isinstance(document, dict | list) else ():
            yield from values_at(item, steps[at + 1 :])
        return
    if document is not MISSING:
        yield document
