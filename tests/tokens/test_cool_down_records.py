"""Records of cool-downs: what comes from a store may be anything."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from airflow_oauth_provider.protocol.call.cool_down import LONGEST
from airflow_oauth_provider.tokens.clocks import elapsed_clock
from airflow_oauth_provider.tokens.cool_down_records import (
    MOST_RECORDS,
    HeldCoolDown,
    dump_records,
    opened_record,
    read_records,
    sealed_record,
)
from tests.support.span import Span

NAME = "a" * 40


def as_it_is(content: bytes) -> bytes:
    return content


def opened(**changes: Any) -> HeldCoolDown | None:
    content = {"at": time.time(), "seconds": 5.0, "status": 429, **changes}
    return opened_record(base64.b64encode(json.dumps(content).encode()).decode(), as_it_is)


def test_a_record_comes_back_as_it_was() -> None:
    wall, elapsed = Span(), Span(elapsed_clock)
    until, sealed = sealed_record(HeldCoolDown(elapsed_clock() + 5, 5.0, 503), as_it_is)
    assert until - 5 in wall
    held = opened_record(sealed, as_it_is)
    assert held is not None
    assert (held.whole, held.status) == (5.0, 503)
    assert held.ends_at - 5 in elapsed


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"seconds": 301}, id="too long"),
        pytest.param({"seconds": -1}, id="negative"),
        pytest.param({"seconds": float("nan")}, id="NaN"),
        pytest.param({"seconds": 10**400}, id="400 digits"),
        pytest.param({"seconds": "5"}, id="text"),
        pytest.param({"seconds": True}, id="true"),
        pytest.param({"at": time.time() + 3600}, id="from the future"),
        pytest.param({"at": None}, id="no time"),
        pytest.param({"status": 200}, id="a success"),
        pytest.param({"status": 429.5}, id="no status"),
    ],
)
def test_a_record_with_a_value_that_none_has_is_none(changes: dict[str, Any]) -> None:
    assert opened() is not None
    assert opened(**changes) is None


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'"x"', b"{", b"\xff", b"[" * 10_000, b"{}"])
def test_what_is_no_record_is_none(content: bytes) -> None:
    assert opened_record(base64.b64encode(content).decode(), as_it_is) is None
    assert opened_record("no Base64!", as_it_is) is None
    assert opened_record("AAAA", lambda _: None) is None  # sealed by another client


def test_a_clock_that_was_set_back_makes_no_cool_down_longer_than_it_was() -> None:
    held = opened(at=time.time() + 200)
    assert held is not None
    assert held.ends_at - elapsed_clock() <= 5.0


def test_one_bad_record_spoils_no_other() -> None:
    now = time.time()
    listed = {
        NAME: [now + 5, "good"],
        "b" * 40: [now - 1, "over"],
        "c" * 40: [now + LONGEST + 3600, "too late"],
        "d" * 40: ["x", "no time"],
        "e" * 40: [now + 5, 7],
        "f" * 40: [now + 5, "x" * 300],
        "0" * 40: [now + 5],
        "1" * 40: None,
        "../name": [now + 5, "bad name"],
    }
    assert read_records(json.dumps(listed).encode(), now) == {NAME: (now + 5, "good")}


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"7", b"\xff\xfe", b"[" * 100_000])
def test_an_entry_that_is_none_has_no_records(content: bytes | None) -> None:
    assert read_records(content, 0.0) == {}


def test_the_latest_of_many_records_are_kept() -> None:
    now = time.time()
    many = {f"{number:040x}": (now + number, "x" * 200) for number in range(1, 2 * MOST_RECORDS)}
    content, until = dump_records(many)
    kept = read_records(content, now)
    assert len(kept) == MOST_RECORDS
    assert min(kept.values()) == (now + MOST_RECORDS, "x" * 200)
    assert until == now + 2 * MOST_RECORDS - 1
    assert len(content) < 96 * 1024
