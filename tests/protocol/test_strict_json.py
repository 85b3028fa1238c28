from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.protocol.strict_json import MAX_DEPTH, JsonError, parse_object, parse_value


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("text", "value"),
    [("null", None), ("[1, 2.5]", [1, 2.5]), ('"ä"', "ä"), ('{"a": {"a": 1}}', {"a": {"a": 1}})],
)
def test_what_is_read(text: str, value: Any) -> None:
    assert parse_value(text) == value


def test_an_object_with_a_byte_order_mark() -> None:
    assert parse_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_the_deepest_there_may_be() -> None:
    assert parse_value(nested(MAX_DEPTH)) is not None
    with pytest.raises(JsonError, match="levels deep"):
        parse_value(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "not valid", id="nothing"),
        pytest.param(b'{"secret": ', "not valid", id="cut"),
        pytest.param(b"[1]", "not a JSON object", id="array"),
        pytest.param(b'{"a": "secret", "a": 1}', "twice", id="equal-names"),
        pytest.param(b'{"a": [{"b": 1, "b": 2}]}', "twice", id="equal-names-within"),
        pytest.param(b'{"a": NaN}', "NaN", id="nan"),
        pytest.param(b'{"a": -Infinity}', "Infinity", id="infinity"),
        pytest.param(b'{"a": 1e400}', "out of range", id="too-large"),
        pytest.param(b'{"a": "\xff"}', "UTF-8", id="latin-1"),
        pytest.param('{"a": 1}'.encode("utf-16"), "UTF-8", id="utf-16"),
        pytest.param(('{"a": ' + nested(100_000) + "}").encode(), "deep", id="nested-without-end"),
    ],
)
def test_what_is_refused_without_repeating_it(data: bytes, says: str) -> None:
    with pytest.raises(JsonError) as caught:
        parse_object(data)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None, "errors of Python's parsers hold the text"
