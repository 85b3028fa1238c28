"""Values of stored records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE
from airflow_oauth_provider.tokens.record_values import (
    LONGEST_LIFETIME,
    RecordError,
    end,
    flag,
    number,
    past,
    plausible_end,
    text,
    texts,
    whole,
)

pytestmark = pytest.mark.fault("F22")
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda value: number(value, 0, 5), 0),
        (lambda value: number(value, 0, 5), 5.0),
        (lambda value: whole(value, 5), 5),
        (lambda value: past(value, NOW), NOW + CLOCK_TOLERANCE),
        (lambda value: end(value, NOW), NOW + LONGEST_LIFETIME),
        (flag, True),
        (text, "plain"),
    ],
)
def test_what_is_as_it_should_be_comes_back(read: Callable[[Any], Any], value: Any) -> None:
    assert read(value) == value


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (
            lambda value: number(value, 0, 5),
            (None, True, "1", [1], -1, 6, float("nan"), float("inf"), 10**400),
        ),
        (lambda value: whole(value, 5), (1.5, "1", False, -1, 6)),
        (lambda value: past(value, NOW), (NOW + CLOCK_TOLERANCE + 1, -1, None)),
        (lambda value: end(value, NOW), (NOW + LONGEST_LIFETIME + CLOCK_TOLERANCE + 1, "never")),
        (flag, (1, 0, None, "yes!")),
        (text, (1, None, ["a"], b"a")),
        (texts, ("a", None, [1], {"a": 1})),
    ],
    ids=["number", "whole", "past", "end", "flag", "text", "texts"],
)
def test_what_is_not_is_refused_without_being_repeated(
    read: Callable[[Any], Any], values: tuple[Any, ...]
) -> None:
    for value in values:
        with pytest.raises(RecordError) as caught:
            read(value)
        assert str(value) not in str(caught.value) or len(str(value)) < 3


def test_texts_are_cut_and_cleaned() -> None:
    assert text("a\x1b[2J\nb\u202e\ud800", 20) == "a [2J b ?"
    assert text("x" * 50, 10) == "x" * 10
    assert texts(["a\x07", "b"]) == ("a ", "b")


def test_an_end_beyond_belief_is_cut() -> None:
    assert plausible_end(NOW, NOW + 60) == NOW + 60
    for ends_at in (float("inf"), float("nan"), NOW + 10 * LONGEST_LIFETIME):
        assert plausible_end(NOW, ends_at) == NOW + LONGEST_LIFETIME
