from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_oauth_provider.calls.response import ReadResponse
from airflow_oauth_provider.tasks.pages import MAX_COUNTED, PageLog, count_items, next_call


def page(document: Any) -> ReadResponse:
    body = document if isinstance(document, bytes | None) else json.dumps(document).encode()
    return ReadResponse(200, "OK", "https://api.example", (), body)


@pytest.mark.parametrize(
    ("document", "items"),
    [
        ([1, 2, 3], 3),
        ([], 0),
        ({"orders": [1, 2], "next": "x"}, 2),
        ({"a": [1], "b": [2]}, None),
        ({"next": None}, None),
        ("text", None),
        (b"<html>", None),
        (b"[" * 100_000, None),
        (None, None),
        (b"[" + b" " * MAX_COUNTED + b"]", None),
    ],
    ids=[
        "array",
        "empty",
        "one-array",
        "two-arrays",
        "no-array",
        "text",
        "page",
        "nested",
        "unread",
        "large",
    ],
)
def test_items_are_counted_where_there_is_no_doubt(document: Any, items: int | None) -> None:
    assert count_items(page(document)) == items


@pytest.mark.fault("F40")
def test_a_line_a_page(caplog: pytest.LogCaptureFixture) -> None:
    pages = PageLog()
    with caplog.at_level(logging.INFO, logger="airflow_oauth_provider.tasks.pages"):
        for document in ([1, 2], [3], {"a": 1}, [4]):
            pages.add(page(document))
    assert [record.getMessage() for record in caplog.records] == [
        "page 1: 2 items, 2 so far",
        "page 2: 1 item, 3 so far",
        "page 3: 8 bytes",
        "page 4: 1 item",
    ]


def test_the_next_pages_call_differs_from_the_first_where_it_says() -> None:
    first = {"endpoint": "orders", "data": {"size": 5, "sort": {"by": "id"}}, "headers": {"A": "1"}}
    assert next_call(first, {}) == first
    merged = next_call(first, {"data": {"from": 5, "sort": {"down": True}}, "headers": None})
    assert merged["data"] == {"size": 5, "from": 5, "sort": {"by": "id", "down": True}}
    assert merged["headers"] == {"A": "1"}
    assert next_call(first, {"endpoint": "more", "data": "text"}) == {
        **first,
        "endpoint": "more",
        "data": "text",
    }
