from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_oauth_provider.calls.arguments import (
    DEFAULT_TIMEOUT,
    Timeouts,
    call_arguments,
    check_headers,
    culprit,
    encoded,
    require_known,
    require_method,
    timeouts,
)
from airflow_oauth_provider.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("timeout", "total", "limits"),
    [
        (None, None, Timeouts(DEFAULT_TIMEOUT, DEFAULT_TIMEOUT, None)),
        (5, None, Timeouts(5, 5, None)),
        ((1, 2.5), None, Timeouts(1, 2.5, None)),
        ((None, 2), 9, Timeouts(None, 2, 9)),
        (None, 9, Timeouts(DEFAULT_TIMEOUT, DEFAULT_TIMEOUT, 9)),
    ],
)
def test_timeouts(timeout: Any, total: Any, limits: Timeouts) -> None:
    assert timeouts(timeout, total) == limits


@pytest.mark.parametrize(
    ("timeout", "total", "field"),
    [
        (0, None, "timeout"),
        (-1, None, "timeout"),
        ("5", None, "timeout"),
        (True, None, "timeout"),
        ((1, 2, 3), None, "timeout"),
        ((1, "2"), None, "timeout"),
        (float("inf"), None, "timeout"),
        ((1, 1e12), None, "timeout"),
        (5, float("inf"), "total_timeout"),
        (5, 0, "total_timeout"),
        (5, "x", "total_timeout"),
    ],
)
def test_what_is_no_timeout(timeout: Any, total: Any, field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        timeouts(timeout, total)
    assert caught.value.field == field


@pytest.mark.parametrize("method", ["GET", "PATCH", "PROPFIND", "M-SEARCH"])
def test_methods(method: str) -> None:
    require_method(method)


@pytest.mark.parametrize("method", ["", "GET /", "G\nET", 3, None, "GÉT"])
def test_what_is_no_method(method: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        require_method(method, "my_api")
    assert (caught.value.field, caught.value.conn_id) == ("method", "my_api")


def test_headers_become_text_and_none_leaves_one_out() -> None:
    assert check_headers({"A": "b", b"C": b"d", "E": None}) == {"A": "b", "C": "d"}
    assert check_headers(None) == {}


@pytest.mark.parametrize("headers", [{"A": 1}, {"A": "b\r\nC: d"}, {"A": "☃"}, {"A": ["b"]}])
def test_headers_that_cannot_be_sent(headers: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        encoded("headers", check_headers, headers)
    assert caught.value.field == "headers"


def test_what_an_encoder_raises_is_named_by_its_class_only() -> None:
    def encode(_: Any) -> None:
        raise RuntimeError("the-secret")

    with pytest.raises(ConfigurationError) as caught:
        encoded("data", encode, "x")
    assert "RuntimeError" in str(caught.value)
    assert "the-secret" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"headers": {"X": 1}}, "headers"),
        ({"json": {1, 2}}, "json"),
        ({"files": 5}, "files"),
        ({"cookies": 5}, "cookies"),
    ],
)
def test_whose_fault_it_is(arguments: dict[str, Any], name: str) -> None:
    assert culprit(requests.Request("POST", "https://api.example", **arguments)) == name


def test_arguments_that_a_call_does_not_have() -> None:
    require_known({"json"}, frozenset({"json", "data"}))
    with pytest.raises(ConfigurationError) as caught:
        require_known({"json", "jsn"}, frozenset({"json", "data"}))
    assert caught.value.field == "jsn"
    assert "data, json" in str(caught.value)


@pytest.mark.parametrize(
    ("method", "data", "placed"),
    [
        ("GET", {"a": 1}, {"params": {"a": 1}}),
        ("GET", None, {}),
        ("POST", {"a": 1}, {"data": {"a": 1}}),
        ("POST", "", {"data": ""}),
        ("DELETE", b"x", {"data": b"x"}),
        ("HEAD", {"a": 1}, {}),
    ],
)
def test_where_airflows_hook_puts_data(method: str, data: Any, placed: dict[str, Any]) -> None:
    assert call_arguments(method, data, None, {}) == placed
    assert call_arguments(method, data, {"X": "y"}, {"json": 1}) == {
        **placed,
        "headers": {"X": "y"},
        "json": 1,
    }
