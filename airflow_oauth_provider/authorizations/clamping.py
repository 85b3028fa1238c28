"""Long texts in tables: cut where a word ends, and marked as cut."""

from __future__ import annotations

LONGEST_REASON = 200
"""Characters of a reason that has to fit on one line with something else."""
LONGEST_CELL = 360
"""Characters of a cell of a table; documents have all."""
_LEAST_KEPT = 2 / 3
"""Of the room there is; a longer last word is cut within."""


def clamp(text: str, longest: int) -> str:
    """Return at most *longest* characters, ending in "…" where something is left out.

    A server may describe an error in 1,000 characters: whole where one connection is shown, too many
    for a row.
    """
    if len(text) <= longest:
        return text
    kept = text[: longest - 1]
    last_space = text.rfind(" ", 0, longest)
    if last_space >= longest * _LEAST_KEPT:
        kept = kept[:last_space]
    return f"{kept.rstrip(' ,.;:(')}…"
