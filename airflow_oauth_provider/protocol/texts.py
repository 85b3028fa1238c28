"""Texts that come from a server or an editor, made fit to be shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from airflow_oauth_provider.exceptions import MAX_DESCRIPTION

# RFC 6749 §5.2: error and error_description may hold %x20-21 / %x23-5B / %x5D-7E only. Line feeds
# and escape sequences would forge log lines and colour terminals, so they become one space.
_OUTSIDE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]+")
# Angle brackets are inside the RFC's set, but these texts end up on web pages.
_MARKUP = str.maketrans("<>", "()")
_MIN_REDACTED = 4
MAX_SCOPES = 2 * 1024
"""Characters of a list of scopes in one line of a log."""
# RFC 3986 §2.3: what percent-encoding leaves as it is, and so most tokens.
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def plain(value: object) -> str:
    """Return *value* as one line of text without anything that steers a terminal or forges a log line."""
    return _STEERING.sub(" ", "" if value is None else str(value))


def cut(text: str, limit: int) -> str:
    """Return at most *limit* characters of a text, ending in ``…`` where something is left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean(text: object, confidential: Iterable[str] = ()) -> str | None:
    """Return *text* in the characters RFC 6749 §5.2 allows, redacted and cut to 200.

    :param confidential: strings that must not be repeated: servers do echo secrets.
    :return: ``None`` when nothing is left, or when it is not a string.
    """
    if not isinstance(text, str):
        return None
    redacted = redact(text[: 64 * 1024], confidential)
    shown = " ".join(_OUTSIDE.sub(" ", redacted).translate(_MARKUP).split())
    return shown[:MAX_DESCRIPTION] or None


def clean_uri(text: object, confidential: Iterable[str] = ()) -> str | None:
    """Return an ``error_uri`` that is an http(s) address, else ``None``."""
    shown = clean(text, confidential)
    return shown if shown and re.match(r"https?://[^\s]+\Z", shown) else None


def redact(text: str, confidential: Iterable[str]) -> str:
    """Replace each confidential string, plain or percent-encoded, by ``***``.

    Strings below four characters stay: replacing every "a" would disclose more than it hides.
    """
    for value in sorted(confidential, key=len, reverse=True):
        if len(value) >= _MIN_REDACTED:
            for form in _forms(value):
                text = text.replace(form, "***")
    return text


def _forms(value: str) -> tuple[str, ...]:
    if _UNRESERVED.fullmatch(value):
        return (value,)
    return value, quote(value, safe=""), quote_plus(value)
