"""What people are shown of the address of a call, and of what an API has said.

Redacted before anything is cut or cleaned: half of a secret would not be known for one.
"""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.texts import clean, cut, excerpt, plain

MAX_BODY = 2 * 1024
"""Bytes of a body that an error keeps."""
MAX_URL = 500
"""Characters of an address."""
MAX_MEDIA_TYPE = 200
READ = 64 * 1024
"""Bytes of a body that are read."""
_CHARSET = re.compile(r"charset=\"?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_PAGE = re.compile(r"\s*(?:<!doctype\s+html|<html)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^<>]{0,200}>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
_VALUE = re.compile(r"=[^&;]*")


def url_excerpt(url: str, redactor: Redactor = NOTHING) -> str:
    """Return an address without the values of its query: they may be as good as a password."""
    parts = urlsplit(redactor.text(url))
    query = "&".join(
        _VALUE.sub("=…", pair) if "=" in pair else "…" for pair in parts.query.split("&") if pair
    )
    return cut(plain(parts._replace(query=query, fragment="").geturl()), MAX_URL)


def body_excerpt(body: bytes, content_type: str, redactor: Redactor = NOTHING) -> str | None:
    """Return the beginning of a body: of text 2 KiB, of a page its title, of anything else what it is.

    :param body: its first :data:`READ` bytes are read.
    :param content_type: of the response.
    :return: ``None`` for none.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    head = body[:READ]
    if not head.strip():
        return None
    if b"\0" in head:
        return f"({clean(media_type, redactor, most=MAX_MEDIA_TYPE) or 'binary'} data)"
    text = _decoded(head, content_type)
    if "html" in media_type or _PAGE.match(text):
        return _cut_bytes(_title(redactor.text(text)))
    return _cut_bytes(" ".join(plain(excerpt(text, MAX_BODY, redactor)).split())) or None


def _decoded(head: bytes, content_type: str) -> str:
    charset = _CHARSET.search(content_type)
    try:
        return head.decode(charset.group(1) if charset else "utf-8", "replace")
    except (LookupError, ValueError):
        return head.decode("utf-8", "replace")


def _title(page: str) -> str:
    title = _TITLE.search(page)
    words = " ".join(plain(html.unescape(title.group(1))).split()) if title else ""
    return f"a page: {words}" if words else "a page"


def _cut_bytes(text: str) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= MAX_BODY:
        return encoded.decode()
    return encoded[: MAX_BODY - 3].decode("utf-8", "ignore").rstrip() + "…"
