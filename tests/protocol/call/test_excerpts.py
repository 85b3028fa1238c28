from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.call.excerpts import MAX_BODY, MAX_URL, body_excerpt, url_excerpt
from airflow_oauth_provider.protocol.redaction import Redactor

SECRET = "s3cret-value-of-the-client"


@pytest.mark.fault("F40")
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example/v1/orders", "https://api.example/v1/orders"),
        ("https://api.example/v1?page=2&key=abc", "https://api.example/v1?page=\u2026&key=\u2026"),
        ("https://api.example/v1?abc", "https://api.example/v1?\u2026"),
        ("https://api.example/v1?a=1;b=2", "https://api.example/v1?a=\u2026;b=\u2026"),
        ("https://api.example/v1?a=b=c&&d=", "https://api.example/v1?a=\u2026&d=\u2026"),
        ("https://api.example/v1#part", "https://api.example/v1"),
        (f"https://api.example/{SECRET}/x?a={SECRET}", "https://api.example/***/x?a=\u2026"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x"),
    ],
)
def test_an_address_is_shown_without_the_values_of_its_query(url: str, expected: str) -> None:
    assert url_excerpt(url, Redactor([SECRET])) == expected


@pytest.mark.fault("F40", "F28")
def test_a_long_address_is_cut() -> None:
    excerpt = url_excerpt(f"https://api.example/{'x' * 5000}")
    assert len(excerpt) == MAX_URL
    assert excerpt.endswith("\u2026")


@pytest.mark.fault("F40")
@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        pytest.param(b"", "text/plain", None, id="empty"),
        pytest.param(b" \r\n", "text/plain", None, id="blank"),
        pytest.param(b'{"message":\n "no"}', "application/json", '{"message": "no"}', id="json"),
        pytest.param(b"a\x1b[31mb\r\nc", "text/plain", "a [31mb c", id="control-characters"),
        pytest.param("f\u00fcnf".encode(), "text/plain", "f\u00fcnf", id="utf-8"),
        pytest.param("f\u00fcnf".encode("latin-1"), "text/plain; charset=latin-1", "f\u00fcnf", id="charset"),
        pytest.param("f\u00fcnf".encode(), "text/plain; charset=nonsense", "f\u00fcnf", id="unknown-charset"),
        pytest.param(b"\xff\xfe", "text/plain", "\ufffd\ufffd", id="no-text"),
        pytest.param(b"%PDF\0", "application/pdf; x=y", "(application/pdf data)", id="binary"),
        pytest.param(b"\0\1", "", "(binary data)", id="binary-without-a-type"),
        pytest.param(
            b"<!DOCTYPE html><html><head><title>Sign &amp; in\n</title></head><body>long</body></html>",
            "text/html",
            "a page: Sign & in",
            id="page",
        ),
        pytest.param(
            b" <HTML><Title lang=en>Login</title>", "application/json", "a page: Login", id="page-as-json"
        ),
        pytest.param(b"<html><body>no title</body></html>", "text/html", "a page", id="page-without-a-title"),
        pytest.param(b"<html><title>never ends", "text/html", "a page", id="page-that-is-cut"),
        pytest.param(f"you sent {SECRET}".encode(), "text/plain", "you sent ***", id="echo[F20]"),
        pytest.param(
            f"<html><title>you sent {SECRET}</title>".encode(),
            "text/html",
            "a page: you sent ***",
            id="echo-in-a-page[F20]",
        ),
    ],
)
def test_what_is_shown_of_a_body(body: bytes, content_type: str, expected: str | None) -> None:
    assert body_excerpt(body, content_type, Redactor([SECRET])) == expected


@pytest.mark.fault("F40")
@pytest.mark.parametrize("letter", ["x", "\u00e4", "\U0001f600"])
def test_of_a_long_body_two_kibibytes(letter: str) -> None:
    excerpt = body_excerpt((letter * 100_000).encode(), "text/plain")
    assert excerpt is not None
    assert MAX_BODY - 8 <= len(excerpt.encode()) <= MAX_BODY
    assert excerpt.endswith("\u2026")


def test_no_part_of_a_secret_stands_where_a_body_is_cut() -> None:
    for start in range(MAX_BODY - 2 * len(SECRET), MAX_BODY + 10):
        excerpt = body_excerpt(b"x" * start + SECRET.encode() + b"y" * 500, "text/plain", Redactor([SECRET]))
        assert excerpt is not None
        assert not any(SECRET[:length] in excerpt for length in (6, len(SECRET)))


def test_a_page_that_would_take_long_to_search() -> None:
    page = b"<html>" + b"<title " * 9000
    assert body_excerpt(page, "text/html") == "a page"
