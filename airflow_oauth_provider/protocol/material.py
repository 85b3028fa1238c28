"""What of a confidential value must not be seen, and how it is known again.

Most values are confidential from end to end. Some are so in part only, and the rest of them stands in
many harmless texts, too:

- a JWT (RFC 7519) is a credential by its signature; its header is that of every token of its kind;
- a private key (PEM, JWK, PKCS#12) begins like all others of its kind, and its public half is public;
- of the address of a proxy only user and password are;
- proofs of possession (RFC 9449) with one key all begin alike, and end with a signature: a value that ends
  with a dot is such a beginning, and stands for all of them.

A value is also looked for in hexadecimal digits and in Base64, within any longer text that was so
encoded: there are three ways in which its bytes can lie.
"""

from __future__ import annotations

import base64
import binascii
import re
from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import AnyStr, NamedTuple
from urllib.parse import quote

from airflow_oauth_provider.protocol.der import confidential_spans
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_value

SHORTEST = 4
"""Characters below which a value stays: replacing every "a" would disclose more than it hides."""
WINDOW = 12
"""Consecutive characters of a value that may not survive."""
BLOCK, STRIDE = 4, 8
"""Bytes that are looked up at once, and from one look to the next: every window holds such a block."""
_LEAST_ENCODED = 6
"""Characters below which an encoded value is as likely an accident."""
_LONG = 16 * 1024
"""Characters from which the middle of a value is confidential only with the rest of it."""
_LONG_ENCODED = 2 * 1024

_JOSE = r"[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){2,4}"
_PEM = r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(.*?)(?:-----END|\Z)"
_BASE64 = r"[A-Za-z0-9+/_-]+={0,2}"
# RFC 7518 §6.2.2, §6.3.2, §6.4.1; r, d and t of further primes.
_JWK_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "k", "r", "t")


class Material(NamedTuple):
    """What is confidential of one value.

    :param wholes: replaced wherever one stands whole; the longest first.
    :param encoded: likewise, with all that was encoded together with it.
    :param beginnings: replaced together with the rest of the JWT that one begins.
    :param windows: no 12 consecutive characters of this may survive.
    :param blocks: each four bytes of it, as a number: a text without one of them has no window.
    """

    wholes: tuple[str, ...]
    encoded: tuple[str, ...]
    beginnings: tuple[str, ...]
    windows: str
    blocks: frozenset[int]

    def __repr__(self) -> str:
        return "Material(***)"


class _Parts:
    """What is confidential of a value: strings whole and in windows, and bytes for the encodings."""

    def __init__(
        self, wholes: Iterable[str] = (), windows: Iterable[str] = (), data: Iterable[bytes] = ()
    ) -> None:
        self.wholes = list(wholes)
        self.windows = list(windows)
        self.data = list(data)
        self.beginnings: list[str] = []


@lru_cache(maxsize=128)
def material_of(value: str) -> Material:
    """Return what is confidential of *value*; its kind is recognised by its looks."""
    parts = _parts(value)
    wholes = {whole for whole in parts.wholes if len(whole) >= SHORTEST}
    encoded = {form for data in _ends(parts.data, _LONG_ENCODED) for form in _encoded(data)}
    windows = [window for window in (*_ends(parts.windows, _LONG), *encoded) if len(window) >= WINDOW]
    return Material(
        tuple(sorted(wholes, key=len, reverse=True)),
        tuple(sorted(encoded, key=len, reverse=True)),
        tuple(parts.beginnings),
        "\0".join(windows),
        frozenset(_blocks(windows)),
    )


def numbers_at(data: bytes) -> array[int]:
    """Return each four bytes of *data* as a number, filled up with zeros."""
    return array("I", data + bytes(-len(data) % BLOCK))


def _blocks(windows: Iterable[str]) -> Iterator[int]:
    for window in windows:
        data = window.encode("utf-8", "surrogatepass")
        for start in range(BLOCK):
            yield from array("I", data[start : len(data) - (len(data) - start) % BLOCK])


def _parts(value: str) -> _Parts:
    text = value.strip()
    parts = (
        _of_beginning(text)
        or _of_pem(text)
        or _of_jwk(text)
        or _of_pkcs12(text)
        or _of_jose(text)
        or _plain(value)
    )
    parts.wholes += [value, text]
    return parts


def _plain(value: str) -> _Parts:
    data = value.encode("utf-8", "surrogatepass")
    # UTF-8 read as Latin-1, as HTTP libraries read what does not say how it is encoded.
    spelled = [value] if value.isascii() else [value, data.decode("latin-1")]
    # Padding is no part of what is secret, and comes and goes.
    bare = [value.rstrip("=")] if re.fullmatch(_BASE64, value) else []
    # RFC 6749 §2.3.1 percent-encodes a secret before Base64 does the rest.
    return _Parts([*spelled, *bare], spelled, [data, quote(data, safe="").encode()])


def _of_beginning(value: str) -> _Parts | None:
    header = value.removesuffix(".")
    if header == value or not _bytes_of(header).startswith(b'{"typ":'):
        return None
    parts = _Parts((), [header], [header.encode()])
    parts.beginnings.append(value)
    return parts


def _of_jose(value: str) -> _Parts | None:
    if not re.fullmatch(_JOSE, value):
        return None
    header, payload, *others = value.split(".")
    if not _bytes_of(header).startswith(b"{"):
        return None
    # A signature, or what stands encrypted (RFC 7516 §3.1).
    secret = [part for part in ([payload, *others] if len(others) > 1 else others) if len(part) >= WINDOW]
    return _Parts(secret, secret, [part.encode() for part in secret]) if secret else None


def _of_pem(value: str) -> _Parts | None:
    blocks = re.findall(_PEM, value.replace("\\n", "\n"))
    if not blocks:
        return None
    parts = _Parts()
    for block in blocks:
        # Lines with a colon are headers of the traditional format (RFC 1421 §4.6).
        lines = [line.strip() for line in block.splitlines() if ":" not in line]
        parts.wholes += [block.strip(), *(line for line in lines if len(line) >= WINDOW)]
        _add_key(parts, lines)
    return parts


def _of_pkcs12(value: str) -> _Parts | None:
    lines = value.split()
    if not value.startswith("MI") or confidential_spans(_bytes_of("".join(lines))) is None:
        return None
    parts = _Parts()
    _add_key(parts, lines)
    return parts


def _add_key(parts: _Parts, lines: list[str]) -> None:
    """Add the Base64 of a key: of what no other key has, the characters and the bytes."""
    text = "".join(lines)
    data = _bytes_of(text)
    spans = confidential_spans(data)
    if spans is None:  # encrypted by the traditional format, or damaged: its parts cannot be separated
        spans = [(0, len(text) * 3 // 4)]
    parts.wholes.append(text)
    for start, end in spans:
        first, last = -(-start * 4 // 3), end * 4 // 3
        parts.windows.append(text[first:last])
        parts.data.append(data[start:end])
        parts.data += _within(lines, first, last)


def _within(lines: list[str], first: int, last: int) -> Iterator[bytes]:
    """Yield what lies from *first* to *last* in the joined lines, line by line.

    A file of a key is often encoded once more, as Kubernetes does with secrets; "+" and "/" are often
    percent-encoded before.
    """
    at = 0
    for line in lines:
        part = line[max(0, first - at) : max(0, last - at)]
        if len(part) >= WINDOW:
            yield from {part.encode(), quote(part, safe="").encode()}
        at += len(line)


def _of_jwk(value: str) -> _Parts | None:
    if not value.startswith("{"):
        return None
    try:
        key = parse_value(value)
    except JsonError:
        return None
    if not isinstance(key, dict) or "kty" not in key:
        return None
    primes = key["oth"] if isinstance(key.get("oth"), list) else []
    holders = [key, *(prime for prime in primes if isinstance(prime, dict))]
    named = [holder.get(name) for holder in holders for name in _JWK_MEMBERS]
    members = [member for member in named if isinstance(member, str)]
    data = [form for member in members for form in (_bytes_of(member), member.encode())]
    return _Parts(members, members, data)


def _bytes_of(text: str) -> bytes:
    """Decode Base64 of either alphabet (RFC 4648 §4, §5), padded or not; what is none has no bytes."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _ends(parts: Iterable[AnyStr], most: int) -> Iterator[AnyStr]:
    """Yield the parts; of a long one its beginning and its end."""
    for part in parts:
        if len(part) <= most:
            yield part
        else:
            yield from (part[: most // 2], part[-most // 2 :])


def _encoded(data: bytes) -> set[str]:
    """Return *data* in hexadecimal digits, and in Base64 wherever in a longer text it may lie."""
    digits = data.hex()
    forms = {digits, digits.upper()}
    for before in range(3):
        text = base64.b64encode(bytes(before) + data + bytes(-(before + len(data)) % 3)).decode()
        # Characters at either end hold bits of what stands beside it.
        cores = [text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]]
        if not before:  # or of nothing, if it was encoded by itself
            padded = base64.b64encode(data).decode()
            cores += [padded, padded.rstrip("=")]
        forms |= {form for core in cores for form in (core, core.replace("+", "-").replace("/", "_"))}
    return {form for form in forms if len(form) >= _LEAST_ENCODED}
