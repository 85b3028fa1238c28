"""How a text may spell a character otherwise: percent, backslash and HTML escapes, one in another.

RFC 3986 §2.1 (percent-encoding; of UTF-8, or of Latin-1 as old servers have it), RFC 8259 §7 (JSON,
with what Python, JavaScript and PHP add to it), HTML §13.5 (character references), and the form's plus
sign for a space. To look for a string in a text means to look at each *reading* of it: the text as it is,
with one kind of escape decoded, with a second one decoded in that, and so on.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property

MAX_DEPTH = 3
"""Escapes one in another that are decoded: JSON in JSON in a percent-encoded form."""
MAX_READINGS = 32
"""Readings of one text: one that is made to have many costs no more. All with two escapes are among them."""

_HEX = "[0-9A-Fa-f]"
_MORE = f"%[89ABab]{_HEX}"
_PERCENT = f"%(?:[CDcd]{_HEX}{_MORE}|[Ee]{_HEX}(?:{_MORE}){{2}}|[Ff][0-7](?:{_MORE}){{3}}|{_HEX}{{2}})"
_BACKSLASH = (
    rf"\\(?:u([Dd][89ABab]{_HEX}{{2}})\\u([Dd][C-Fc-f]{_HEX}{{2}})"
    rf"|(?:u({_HEX}{{4}})|x({_HEX}{{2}})|U(0{{2,3}}{_HEX}{{5,6}})|u\{{({_HEX}{{1,6}})\}})"
    r"|([^\n]))"
)
_REFERENCE = r"&(?:#([0-9]{1,7})|#[Xx]([0-9A-Fa-f]{1,6})|([A-Za-z][A-Za-z0-9]{1,30}));"
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}


def _of_percent(match: re.Match[str]) -> str:
    data = bytes.fromhex(match[0].replace("%", ""))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _of_backslash(match: re.Match[str]) -> str:
    high, low, *numbers, single = match.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if single:
        return _CONTROLS.get(single, single)
    return _character(int(next(number for number in numbers if number), 16), match)


def _of_reference(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        from html.entities import html5  # 2,231 names, which few texts need

        return html5.get(f"{name};", match[0])
    return _character(int(decimal) if decimal else int(hexadecimal, 16), match)


def _character(number: int, match: re.Match[str]) -> str:
    return chr(number) if number <= 0x10FFFF else match[0]


class Escape:
    """A way to spell characters.

    :param marker: without which a text has none.
    :param expression: of one character so spelled.
    :param character: says which one it is.
    """

    def __init__(self, marker: str, expression: str, character: Callable[[re.Match[str]], str]) -> None:
        self.marker = marker
        self.character = character
        self._expression = expression

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression, compiled when a text first needs it."""
        return re.compile(self._expression)

    def decoded(self, text: str) -> str:
        """Return *text* with these escapes decoded."""
        return self.pattern.sub(self.character, text) if self.marker in text else text


PERCENT = Escape("%", _PERCENT, _of_percent)
BACKSLASH = Escape("\\", _BACKSLASH, _of_backslash)
REFERENCE = Escape("&", _REFERENCE, _of_reference)
PLUS = Escape("+", r"\+", lambda _: " ")
ESCAPES = (PERCENT, BACKSLASH, REFERENCE)

Path = tuple[Escape, ...]


def readings(text: str, escapes: Path = ESCAPES) -> Iterator[tuple[str, Path]]:
    """Yield each reading of *text* and what was decoded for it, the text itself first.

    :param escapes: the kinds that are looked for.
    """
    seen = {text}
    queue: list[tuple[str, Path]] = [(text, ())]
    for current, path in queue:  # which grows meanwhile
        yield current, path
        if len(path) == MAX_DEPTH:
            continue
        for escape in escapes:
            decoded = escape.decoded(current)
            if decoded not in seen and len(queue) < MAX_READINGS:
                seen.add(decoded)
                queue.append((decoded, (*path, escape)))


class Places:
    """Where in a text the characters of a reading stand.

    :param text: the text as it is.
    :param path: what was decoded for the reading.
    """

    def __init__(self, text: str, path: Path) -> None:
        self._steps: list[tuple[list[int], list[int]]] = []
        for escape in path:
            self._steps.append(_ends(escape, text))
            text = escape.decoded(text)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the text the characters from *start* to *end* of the reading stand."""
        return self._origin(start), self._origin(end)

    def _origin(self, position: int) -> int:
        for after, before in reversed(self._steps):
            index = bisect_right(after, position) - 1
            if index >= 0:
                position += before[index] - after[index]
        return position


def _ends(escape: Escape, text: str) -> tuple[list[int], list[int]]:
    """Return where each escape ends once decoded, and where it ends in *text*."""
    after, before, shift = [], [], 0
    for match in escape.pattern.finditer(text):
        shift += len(escape.character(match)) - (match.end() - match.start())
        before.append(match.end())
        after.append(match.end() + shift)
    return after, before
