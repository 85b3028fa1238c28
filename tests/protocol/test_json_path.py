from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.protocol.json_path import (
    ALL,
    MISSING,
    PathError,
    at_path,
    parse_path,
    parse_query,
    values_at,
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$", ()),
        ("$.a.b", ("a", "b")),
        ("a[0]", ("a", 0)),
        ("$['a b'][\"c\"][-1]", ("a b", "c", -1)),
        ("$['']", ("",)),
    ],
)
def test_a_path_of_names_and_indices(text: str, path: Any) -> None:
    assert parse_path(text) == path
    assert parse_query(text) == path


@pytest.mark.parametrize("text", ["$..a", "$[*]", "$.a[", "$.a b", "$[1:2]", "$[?@.a]", "$[99999999999]"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(PathError):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("$.errors[*].code", ["601", 602]),
        ("$.errors.*.code", ["601", 602]),
        ("$.errors[0].code", ["601"]),
        ("$.by_name[*]", [1, 2]),
        ("$.errors[*].nothing", []),
        pytest.param("$.text[*]", [], id="of-a-text[F16]"),
        ("$.nothing[*].code", []),
        ("$.text", ["words"]),
        ("$.null", [None]),
    ],
)
def test_the_values_at_a_path_with_one_wildcard(text: str, values: list[Any]) -> None:
    document = {
        "errors": [{"code": "601"}, {"code": 602}, "text"],
        "by_name": {"a": 1, "b": 2},
        "text": "words",
        "null": None,
    }
    assert list(values_at(document, parse_query(text))) == values


def test_more_than_one_wildcard_is_refused() -> None:
    assert parse_query("$.a[*]") == ("a", ALL)
    with pytest.raises(PathError):
        parse_query("$.a[*].b[*]")


@pytest.mark.fault("F16")
def test_an_index_selects_from_arrays_only() -> None:
    assert at_path({"errors": "text"}, parse_path("$.errors[0]")) is MISSING
    assert at_path([1], parse_path("$[3]")) is MISSING
