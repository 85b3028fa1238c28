"""The sentences of a page of Markdown: no code, no tables, no headings."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BLOCK = re.compile(r"^ *(```|~~~).*?^ *\1|<!--.*?-->|^:::.*?$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+\.|>)\s+")
#: Where one begins to breathe: a sentence may go on behind a colon or a semicolon.
_STOP = re.compile(r"(?<=[.!?;:])[*_)\"”]*\s+")


def clauses(text: str) -> Iterator[str]:
    """Yield what is read in one breath: a sentence, or its part up to a colon or semicolon.

    What stands in code counts as one word, a link as its text.
    """
    for line in _BLOCK.sub("\n", text).splitlines():
        if not line.lstrip().startswith(("|", "#")):
            plain = _LINK.sub(r"\1", _CODE.sub("code", _ITEM.sub("", line)))
            yield from (clause for clause in _STOP.split(plain) if clause.strip())
