from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_oauth_provider.protocol.leaves import (
    NO_KEY,
    UNORDERED,
    Leaf,
    canonical,
    leaves,
    secrets_in,
)
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.urls import parse_url


@dataclass(frozen=True)
class Inner:
    name: str = "default"
    secret: Secret | None = None


@dataclass(frozen=True)
class Outer:
    required: object
    inner: Inner = Inner()
    note: str = field(default="", metadata=NO_KEY)


def paths(settings: Any, **options: Any) -> dict[str, Any]:
    return {leaf.path: leaf.value for leaf in leaves(settings, **options)}


def test_defaults_are_left_out_and_what_has_none_is_always_there() -> None:
    assert paths(Outer("x")) == {"required": "x"}
    equal = str(bytearray(b"default"), "ascii")
    assert equal is not Inner.name
    assert paths(Outer("x", Inner(name=equal))) == {"required": "x"}
    changed = Outer("x", Inner("other", Secret("s")), "note")
    assert paths(changed) == {
        "required": "x",
        "inner.name": "other",
        "inner.secret": Secret("s"),
        "note": "note",
    }


def test_what_spells_itself_is_one_leaf() -> None:
    address = parse_url("https://a.example/x")
    assert paths(Outer(address)) == {"required": address}


def test_a_field_is_left_out_with_all_below_it() -> None:
    changed = Outer("x", Inner("other"), "note")
    assert paths(changed, keep=lambda metadata: metadata.get("key", True)) == {
        "required": "x",
        "inner.name": "other",
    }


@pytest.mark.parametrize(
    ("value", "count"),
    [(Secret("a"), 1), ("a", 0), (None, 0), ((("name", Secret("a")), ("other", Secret("b"))), 2), ((), 0)],
)
def test_secrets_are_found_however_deep(value: Any, count: int) -> None:
    assert len(list(secrets_in(value))) == count


@pytest.mark.parametrize(
    ("value", "metadata", "result"),
    [
        pytest.param(("b", "a"), {}, ["b", "a"], id="order-counts"),
        pytest.param(("b", "a"), UNORDERED, ["a", "b"], id="order-does-not"),
        pytest.param(frozenset("zyxwvutsrq"), {}, list("qrstuvwxyz"), id="a-set"),
        pytest.param(None, UNORDERED, None, id="no-list-at-all"),
        pytest.param(60, {}, 60.0, id="int-is-float"),
        pytest.param(True, {}, True, id="bool-is-no-number"),
        pytest.param(None, {}, None, id="nothing"),
        pytest.param(Secret("s"), {}, "s", id="a-secret-as-it-is"),
        pytest.param(
            parse_url("https://a.example/x"), {}, "Url https://a.example/x", id="a-url-with-its-kind"
        ),
    ],
)
def test_one_spelling_for_all_that_mean_the_same(value: Any, metadata: Any, result: Any) -> None:
    got = canonical(Leaf("x", value, metadata))
    assert (got, type(got)) == (result, type(result))
