from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest

from airflow_oauth_provider.protocol.spelling import ESCAPES, MAX_READINGS, PLUS, Places, readings

TEXT = 'p"ä<\\ &'


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(TEXT, id="as-it-is"),
        pytest.param(quote(TEXT), id="percent"),
        pytest.param(quote(TEXT, encoding="latin-1"), id="percent-of-latin-1"),
        pytest.param(json.dumps(TEXT), id="json-ascii"),
        pytest.param(json.dumps(TEXT, ensure_ascii=False), id="json"),
        pytest.param(json.dumps(json.dumps(TEXT)), id="json-in-json"),
        pytest.param(html.escape(TEXT), id="html"),
        pytest.param("p&#34;&#xe4;&lt;&bsol; &amp;", id="references"),
        pytest.param(quote(json.dumps(TEXT)), id="json-in-percent"),
        pytest.param(html.escape(json.dumps(TEXT)), id="json-in-html"),
    ],
)
def test_one_of_the_readings_is_the_text(spelled: str) -> None:
    assert any(TEXT in reading for reading, _ in readings(spelled))


def test_the_plus_of_forms_is_read_where_it_is_asked_for() -> None:
    spelled = quote_plus(TEXT)
    assert not any(TEXT in reading for reading, _ in readings(spelled))
    assert any(TEXT in reading for reading, _ in readings(spelled, (*ESCAPES, PLUS)))


def test_an_emoji_in_two_halves() -> None:
    assert any("😀" in reading for reading, _ in readings(json.dumps("😀")))


def test_a_text_made_to_have_many_readings_has_few() -> None:
    text = "".join("%25" * depth + "\\u0026amp;" * depth for depth in range(12))
    assert len(list(readings(text))) <= MAX_READINGS


@pytest.mark.parametrize("text", ["100 % sure", "C:\\", "a & b", "%zz", "&#99999999;", "&nosuch;", ""])
def test_what_only_looks_like_an_escape_is_left(text: str) -> None:
    assert next(readings(text)) == (text, ())
    assert {reading for reading, _ in readings(text)} <= {text, "C:"}


@pytest.mark.parametrize("spelled", [quote("x=" + TEXT + ";"), html.escape(json.dumps("x=" + TEXT + ";"))])
def test_where_a_part_of_a_reading_stands_in_the_text(spelled: str) -> None:
    for reading, path in readings(spelled):
        if TEXT in reading:
            at = reading.index(TEXT)
            start, end = Places(spelled, path).span(at, at + len(TEXT))
            assert spelled[:start].endswith("x=") or spelled[:start].endswith(quote("x="))
            assert spelled[end:].startswith((";", quote(";")))
            return
    pytest.fail("no reading holds the text")
