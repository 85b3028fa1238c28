from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.clamping import clamp


@pytest.mark.parametrize(
    ("text", "longest", "clamped"),
    [
        ("", 10, ""),
        ("ten chars.", 10, "ten chars."),
        ("eleven char", 10, "eleven ch…"),
        ("onetwo three four", 13, "onetwo three…"),
        ("onetwothreefour", 10, "onetwothr…"),
        ("a verylongwordindeed", 10, "a verylon…"),
        ("a longer, (text here", 12, "a longer…"),
    ],
)
def test_where_it_is_cut(text: str, longest: int, clamped: str) -> None:
    assert clamp(text, longest) == clamped
    assert len(clamp(text, longest)) <= longest
