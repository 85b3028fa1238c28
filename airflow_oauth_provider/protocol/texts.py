"""Texts that come from a server or an editor, made fit to be shown."""

from __future__ import annotations

import re

from airflow_oauth_provider.exceptions import MAX_DESCRIPTION
from airflow_oauth_provider.protocol.material import WINDOW
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor

# RFC 6749 §5.2: error and error_description may hold %x20-21 / %x23-5B / %x5D-7E only. Line feeds
# and escape sequences would forge log lines and colour terminals, so they become one space.
_OUTSIDE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]+")
# Angle brackets are inside the RFC's set, but these texts end up on web pages.
_MARKUP = str.maketrans("<>", "()")
MAX_SCOPES = 2 * 1024
"""Characters of a list of scopes, or of other words of a server, in one line of a log."""
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_READ = 64 * 1024
"""Characters of a server's text that are read."""


def plain(value: object) -> str:
    """Return *value* as one line of text without anything that steers a terminal or forges a log line."""
    return _STEERING.sub(" ", "" if value is None else str(value))


def cut(text: str, most: int) -> str:
    """Return at most *most* characters of a text, ending in "…" where something is left out.

    No ``***`` is cut in two.
    """
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    if text[most - 1] == "*":
        kept = kept.rstrip("*")
    return f"{kept.rstrip()}…"


def excerpt(text: str, most: int, redactor: Redactor = NOTHING) -> str:
    """Return the beginning of *text*, redacted before it is cut: no part of a secret stands at its end."""
    read = max(_READ, 2 * most)
    head = redactor.text(text[:read])
    # What is cut off here may have been half of a secret, which is known only whole.
    return cut(head if len(text) <= read else head[:-WINDOW] + "…", most)


def clean(text: object, redactor: Redactor = NOTHING, *, most: int = MAX_DESCRIPTION) -> str | None:
    """Return *text* in the characters RFC 6749 §5.2 allows, redacted and cut to 1,000.

    :param redactor: of what must not be repeated: servers do echo secrets.
    :param most: characters that are left.
    :return: ``None`` when nothing is left, or when it is not a string.
    """
    if not isinstance(text, str):
        return None
    redacted = excerpt(text, _READ, redactor)
    cleaned = " ".join(_OUTSIDE.sub(" ", redacted).translate(_MARKUP).split())
    return cut(cleaned, most) or None


def clean_uri(text: object, redactor: Redactor = NOTHING) -> str | None:
    """Return an ``error_uri`` that is an http(s) address, else ``None``; one that is cut leads nowhere."""
    uri = clean(text, redactor)
    return uri if uri and re.match(r"https?://[\x21-\x7e]+\Z", uri) else None
