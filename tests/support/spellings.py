"""The spellings in which servers and libraries repeat what they were sent."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

Spelling = Callable[[str], str]


def _json(text: str, *, ascii_only: bool = True) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _json_of_dotnet(text: str) -> str:
    """JSON with hexadecimal digits in capitals, and for what HTML gives a meaning as well."""
    escaped = re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), _json(text))
    escaped = escaped.replace('\\"', "\\u0022")
    return re.sub("[&<>'+]", lambda match: f"\\u{ord(match[0]):04X}", escaped)


def _base64_within(text: str, before: str, after: str) -> str:
    return base64.b64encode(f"{before}{text}{after}".encode()).decode()


SPELLINGS: dict[str, Spelling] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, slashes left": quote,
    "percent, lower case": lambda text: re.sub("%..", lambda match: match[0].lower(), quote(text, safe="")),
    "percent, every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "form": quote_plus,
    "JSON": _json,
    "JSON, not ASCII only": lambda text: _json(text, ascii_only=False),
    "JSON of PHP": lambda text: _json(text).replace("/", "\\/"),
    "JSON of .NET": _json_of_dotnet,
    "JSON in JSON": lambda text: _json(_json(text)),
    "JSON in JSON, not ASCII only": lambda text: _json(
        _json(text, ascii_only=False).replace("/", "\\/"), ascii_only=False
    ),
    "HTML": html.escape,
    "HTML, quotes left": lambda text: html.escape(text, quote=False),
    "HTML, decimal": lambda text: "".join(
        char if char.isascii() and char.isalnum() else f"&#{ord(char)};" for char in text
    ),
    "HTML, hexadecimal": lambda text: "".join(
        char if char.isascii() and char.isalnum() else f"&#x{ord(char):X};" for char in text
    ),
    "HTML in JSON": lambda text: _json(html.escape(text)),
    "percent in JSON in JSON": lambda text: _json(_json(quote(text, safe=""))),
    "Python's repr": lambda text: repr(text)[1:-1],
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64, not padded": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "Base64, URL-safe": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "Base64 of Basic": lambda text: _base64_within(text, "my-client:", ""),
    "Base64 of Basic, RFC 6749": lambda text: _base64_within(quote(text, safe=""), "my-client:", ""),
    "Base64 of a longer text": lambda text: _base64_within(text, "1", " and more"),
    "Base64 of another one": lambda text: _base64_within(text, "12", "..."),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, upper case": lambda text: text.encode().hex().upper(),
    "Latin-1": lambda text: text.encode().decode("latin-1"),
}
"""By name; each as some server, proxy or library has it."""

WINDOW = 12


def windows(text: str, size: int = WINDOW) -> set[str]:
    """Return each *size* consecutive characters; of a shorter text the whole."""
    return {text[at : at + size] for at in range(max(1, len(text) - size + 1))}


def parts_of(value: str, name: str, size: int = WINDOW) -> set[str]:
    """Return the parts of a spelled value that would disclose it.

    12 consecutive characters of the value however they are spelled, or 12 of an encoding, in which
    single characters cannot be told.
    """
    if not name.startswith(("Base64", "hexadecimal")):
        return {SPELLINGS[name](window) for window in windows(value, size)}
    if not name.startswith("Base64 of"):
        return windows(SPELLINGS[name](value), size)
    # What was encoded together with it does not count, nor what of it shares a character with that.
    texts = (
        base64.b64encode(bytes(before) + data.encode()).decode()[4:-4]
        for before in (1, 2, 3)
        for data in (value, quote(value, safe=""))
    )
    return {window for text in texts for window in windows(text, size) if len(window) == size}


def disclosed(text: str, values: Iterable[str], *, size: int = WINDOW) -> set[tuple[str, str]]:
    """Return which values *text* discloses, each with the name of the spelling.

    :param size: consecutive characters from which on it counts as disclosed.
    """
    return {
        (value, name)
        for value in values
        for name in SPELLINGS
        if any(part and part in text for part in parts_of(value, name, size))
    }
