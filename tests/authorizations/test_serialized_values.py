"""Values as Airflow serializes them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.authorizations.serialized_values import (
    Expansion,
    decoded,
    decoded_list,
    keyword_arguments_in,
    texts_in,
    watchers_in,
)

REFERENCE = {"__var": {"task_id": "t"}, "__type": "xcomref"}


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        pytest.param("a", ["a"], id="text"),
        pytest.param({"__var": "a", "__type": "datetime"}, ["a"], id="wrapped"),
        pytest.param({"__var": ["a", {"x": "b"}], "__type": "set"}, ["a", "b"], id="no-type-is-a-value"),
        pytest.param([7, None, True], [], id="others"),
        pytest.param(["a", REFERENCE], ["a", None], id="result-of-a-task"),
    ],
)
def test_texts(value: Any, texts: list[str | None]) -> None:
    assert list(texts_in(value, 0)) == texts


@pytest.mark.parametrize(
    ("value", "expansion"),
    [
        pytest.param(None, Expansion(unknown=True), id="none"),
        pytest.param(
            {"type": "dict-of-lists", "value": {"a": ["b"]}}, Expansion(({"a": ["b"]},)), id="lists"
        ),
        pytest.param({"type": "dict-of-lists", "value": 7}, Expansion(unknown=True), id="no-lists"),
        pytest.param({"type": "list-of-dicts", "value": REFERENCE}, Expansion(unknown=True), id="result"),
        pytest.param(
            {"type": "list-of-dicts", "value": [{"__var": {"a": "b"}, "__type": "dict"}, REFERENCE]},
            Expansion(({"a": "b"},), unknown=True),
            id="mixed",
        ),
    ],
)
def test_expansions(value: Any, expansion: Expansion) -> None:
    assert Expansion.of(value) == expansion


def test_wrappings() -> None:
    assert decoded({"__var": 7, "__type": "x"}) == 7
    assert decoded(REFERENCE) == REFERENCE
    assert decoded_list({"__var": ["a"], "__type": "tuple"}) == ["a"]
    assert decoded_list("abc") == []


def test_keyword_arguments_and_watchers() -> None:
    trigger = {"classpath": "x.Y", "kwargs": {"a": 1}}
    asset = {"__var": {"name": "prices", "watchers": [{"name": "w", "trigger": trigger}]}, "__type": "asset"}
    assert list(watchers_in([asset], 0)) == [("w of the asset prices", {"a": 1})]
    assert list(keyword_arguments_in({"callback": {"__data__": trigger}}, 0)) == [{"a": 1}]
