"""Bodies that tell of a dead token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.protocol.call.dead_token import MAX_BODY, SignError, parse_sign
from airflow_oauth_provider.protocol.json_path import ALL

RULE = "$.errors[*].code in 601, 602"


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        (RULE, ("errors", ALL, "code"), ("601", "602")),
        ("  $.error   in  token_expired ", ("error",), ("token_expired",)),
        ("$['a b'].c in 'x', \"y z\"", ("a b", "c"), ("x", "y z")),
        ("$[*].ok in false", (ALL, "ok"), ("false",)),
    ],
)
def test_a_rule(text: str, path: Any, values: tuple[str, ...]) -> None:
    assert parse_sign(text) == (path, values)


@pytest.mark.parametrize(
    "text",
    [
        "601",
        "$.code",
        "$.code in",
        "$.code in 601,",
        "$ in 601",
        "code in 601",
        "$.a[*].b[*] in 1",
        "$..code in 1",
        f"$.code in {', '.join(map(str, range(65)))}",
        f"${' ' * 1_000_000}x",
        f"$.code in {'6' * 2000}",
    ],
)
def test_no_rule(text: str) -> None:
    with pytest.raises(SignError):
        parse_sign(text)


@pytest.mark.parametrize(
    ("document", "shows"),
    [
        pytest.param({"errors": [{"code": "601"}]}, True, id="text"),
        pytest.param({"errors": [{"code": 602}]}, True, id="number"),
        pytest.param({"errors": [{"code": 601.0}]}, True, id="whole-number"),
        pytest.param({"errors": [{"code": 600}, {"message": "x"}, {"code": "602"}]}, True, id="third"),
        pytest.param({"errors": [{"code": 6010}]}, False, id="longer"),
        pytest.param({"errors": [{"code": [601]}]}, False, id="list"),
        pytest.param({"errors": [{"code": None}]}, False, id="null"),
        pytest.param({"errors": [{"code": True}]}, False, id="true"),
        pytest.param({"errors": []}, False, id="none"),
        pytest.param({"errors": "601"}, False, id="no-array"),
        pytest.param([{"code": 601}], False, id="elsewhere"),
    ],
)
def test_what_a_document_shows(document: Any, shows: bool) -> None:
    assert parse_sign(RULE).shows_in(json.dumps(document).encode()) is shows


DEAD = b'{"errors":[{"code":601}]'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="not-kept"),
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>601</html>", id="html"),
        pytest.param(DEAD + b',"x":NaN}', id="NaN"),
        pytest.param(DEAD + b',"errors":[]}', id="name-twice"),
        pytest.param(DEAD, id="cut"),
        pytest.param(DEAD + b',"x":' + b"[" * 40 + b"]" * 40 + b"}", id="40-deep"),
        pytest.param(DEAD + b',"x":"' + b"a" * MAX_BODY + b'"}', id="too-large"),
        pytest.param(DEAD + b',"x":"\xff"}', id="no-utf-8"),
        pytest.param(DEAD + b',"x":' + b"9" * 5000 + b"}", id="5000-digits"),
    ],
)
def test_what_is_not_strict_json_tells_nothing(body: bytes | None) -> None:
    assert not parse_sign(RULE).shows_in(body)


def test_booleans_have_words() -> None:
    assert parse_sign("$.ok in false").shows_in(b'{"ok": false}')
    assert not parse_sign("$.ok in 0").shows_in(b'{"ok": false}')


def test_a_byte_order_mark_is_no_part_of_the_json() -> None:
    """RFC 8259 §8.1: readers may ignore one."""
    assert parse_sign(RULE).shows_in(b"\xef\xbb\xbf \n" + DEAD + b"}")


def test_a_number_that_python_would_not_print_tells_nothing() -> None:
    assert not parse_sign(RULE).shows_in(b'{"errors":[{"code":' + b"9" * 5000 + b"}]}")
