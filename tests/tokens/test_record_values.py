"""Values of stored records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.protocol.access_token import LONGEST_LIFETIME
from airflow_oauth_provider.tokens import record_values as values
from airflow_oauth_provider.tokens.record_values import LONGEST_TEXT, RecordError

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("read", "given", "result"),
    [
        (lambda value: values.number(value, 0, 9), 3, 3.0),
        (lambda value: values.number(value, 0, 9), 9, 9.0),
        (lambda value: values.whole(value, 9), 9.0, 9),
        (values.flag, False, False),
        (lambda value: values.past(value, NOW), NOW + 299, NOW + 299),
        (lambda value: values.end(value, NOW), NOW + LONGEST_LIFETIME, NOW + LONGEST_LIFETIME),
        (values.text, "a\nb\x1b[31mc", "a b"),
        (values.texts, ["a", "b"], ("a", "b")),
        (values.texts, [], ()),
    ],
)
def test_what_is_accepted(read: Callable[[Any], Any], given: Any, result: Any) -> None:
    got = read(given)
    assert type(got) is type(result)
    assert got == result or (isinstance(got, str) and got.startswith(result))
    assert "\x1b" not in str(got)


Read = Callable[[Any], Any]
REFUSED: list[tuple[Read, list[Any]]] = [
    (lambda value: values.number(value, 0, 9), ["3", True, None, -1, 10, [], float("nan")]),
    (lambda value: values.whole(value, 9), [1.5, 10, -1, "1", float("inf")]),
    (values.flag, [0, 1, "true", None]),
    (lambda value: values.past(value, NOW), [NOW + 301, -1, "x"]),
    (lambda value: values.end(value, NOW), [NOW + LONGEST_LIFETIME + 301, 1e300]),
    (values.text, [None, 5, b"x", ["x"]]),
    (values.texts, [None, "abc", [1], {"a": 1}]),
]


@pytest.mark.fault("F22")
@pytest.mark.parametrize(("read", "given"), [(read, bad) for read, given in REFUSED for bad in given])
def test_what_is_refused_without_repeating_it(read: Callable[[Any], Any], given: Any) -> None:
    with pytest.raises(RecordError) as caught:
        read(given)
    assert repr(given) not in str(caught.value)


@pytest.mark.fault("F22")
def test_texts_are_cut_and_halves_of_characters_replaced() -> None:
    assert len(values.text("x" * 10 * LONGEST_TEXT)) == LONGEST_TEXT
    assert values.text("x" * 100, 7) == "x" * 7
    values.text("a\ud800b").encode()  # a page can show it


@pytest.mark.parametrize(
    ("ends_at", "believed"),
    [
        (NOW + 5, NOW + 5),
        (NOW + 2 * LONGEST_LIFETIME, NOW + LONGEST_LIFETIME),
        (float("inf"), NOW + LONGEST_LIFETIME),
        (float("nan"), NOW + LONGEST_LIFETIME),
    ],
)
def test_an_end_that_is_written_is_believed_when_it_is_read(ends_at: float, believed: float) -> None:
    assert values.plausible_end(NOW, ends_at) == believed
    assert values.end(believed, NOW) == believed
