from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest

from airflow_oauth_provider.protocol.spelling import ESCAPES, MAX_DEPTH, MAX_READINGS, PLUS, Places, readings

TEXT = 'p"ä<\\ &'
MIXED = ("%2525", "%255c", "%26amp;", "\\\\u0025", "\\u0026amp;", "&amp;lt;", "&#92;", "&#37;41", "%5cu0041")


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


@pytest.mark.parametrize(
    "spelled",
    [r"\x70\x22", r"\u{70}\u{000022}", r"\U00000070\U00000022", r"\u0070\x22"],
)
def test_each_number_behind_a_backslash(spelled: str) -> None:
    assert 'p"' in {reading for reading, _ in readings(spelled)}


def test_a_text_made_to_have_many_readings_has_few() -> None:
    escapes = (*ESCAPES, PLUS)
    text = "".join(f"+{first}{second}{first}" for first in MIXED for second in MIXED)
    paths = [path for _, path in readings(text, escapes)]
    assert len(paths) == MAX_READINGS
    assert {path for path in paths if len(path) == 2} >= {
        (one, other) for one in ESCAPES for other in ESCAPES
    }


def test_escapes_deeper_in_one_another_are_left() -> None:
    text = TEXT
    for _ in range(MAX_DEPTH + 1):
        text = quote(text)
    assert {len(path) for _, path in readings(text)} == set(range(MAX_DEPTH + 1))
    assert TEXT not in {reading for reading, _ in readings(text)}


def test_each_reading_comes_once() -> None:
    assert list(readings("no escape")) == [("no escape", ())]
    both = [reading for reading, _ in readings("%70&lt;")]
    assert sorted(both) == sorted({"%70&lt;", "p&lt;", "%70<", "p<"})


@pytest.mark.parametrize(
    "text", ["100 % sure", "C:\\", "a & b", "%zz", "&#99999999;", "&#9999999;", "&nosuch;"]
)
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
