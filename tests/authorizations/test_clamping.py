"""Long texts in tables."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.clamping import clamp

pytestmark = pytest.mark.fault("F46")


@pytest.mark.parametrize(
    ("text", "longest", "cut"),
    [
        ("short", 10, "short"),
        ("just fits!", 10, "just fits!"),
        ("one two three", 10, "one two…"),
        ("one two, three", 11, "one two…"),
        ("one twothr four", 11, "one twothr…"),
        ("onetwothreefour", 8, "onetwot…"),
        ("a thirteenletters", 9, "a thirte…"),
        ("", 5, ""),
    ],
)
def test_a_text_is_cut_where_a_word_ends(text: str, longest: int, cut: str) -> None:
    assert clamp(text, longest) == cut


def test_no_cut_is_longer_than_the_room_there_is() -> None:
    text = "some words of several lengths, and punctuation; more."
    for longest in range(2, len(text)):
        assert len(clamp(text, longest)) <= longest
