"""Declared checks: paths, values, and what is refused when the DAG is read."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest

from airflow_oauth_provider.calls.response import ReadResponse
from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.protocol.json_path import MISSING, at_path
from airflow_oauth_provider.response_check import ResponseCheck, parse_path

DOCUMENT = {"a": [{"b-c": 1}, {"d e": {"f": None}}], "0": "zero"}


def response(content: Any, status: int = 200) -> ReadResponse:
    text = content if isinstance(content, str) else json.dumps(content)
    return ReadResponse(status, "OK", "https://api.example", [], text.encode())


@pytest.mark.parametrize(
    "path, value",
    [
        ("$", DOCUMENT),
        ("", DOCUMENT),
        ("$.a[0].b-c", 1),
        ("a[-1]['d e'].f", None),
        ('$["0"]', "zero"),
        ("$.a[2]", MISSING),
        ("$.a.b", MISSING),
        pytest.param("$['0'][0]", MISSING, id="index-into-a-text[F16]"),
        pytest.param("$[0]", MISSING, id="index-into-an-object[F16]"),
        pytest.param("$.a['0']", MISSING, id="name-into-an-array[F16]"),
        ("$.0x", ConfigurationError),
        ("$.a[*]", ConfigurationError),
        ("$..a", ConfigurationError),
        ("a b", ConfigurationError),
        ("$.a[", ConfigurationError),
    ],
)
def test_paths(path: str, value: Any) -> None:
    if value is ConfigurationError:
        with pytest.raises(ConfigurationError) as caught:
            parse_path(path)
        assert caught.value.field == "json_path"
        assert "RFC 9535 §2.3.5.1" in str(caught.value)
    else:
        assert at_path(DOCUMENT, parse_path(path)) is value or at_path(DOCUMENT, parse_path(path)) == value


@pytest.mark.parametrize(
    "check, given, holds",
    [
        (ResponseCheck(status=200), response({}), True),
        (ResponseCheck(status=[201, 202]), response({}, 202), True),
        (ResponseCheck(status=201), response({}), False),
        (ResponseCheck(json_path="$.s", expected="done"), response({"s": "done"}), True),
        (ResponseCheck(json_path="$.s", expected=["done", "ok"]), response({"s": "ok"}), True),
        (ResponseCheck(json_path="$.s", expected="done"), response({"s": "no"}), False),
        (ResponseCheck(json_path="$.s", expected=False), response({"s": False}), True),
        (ResponseCheck(json_path="$.s"), response({"s": [1]}), True),
        (ResponseCheck(json_path="$.s"), response({"s": []}), False),
        (ResponseCheck(json_path="$.s"), response({}), False),
        (ResponseCheck(json_path="$.s"), response("<html>"), False),
        pytest.param(
            ResponseCheck(json_path="$.errors[0]"),
            response({"errors": "none"}),
            False,
            id="text-for-array[F16]",
        ),
        (ResponseCheck(status=200, json_path="$.s"), response({"s": 1}, 201), False),
        (ResponseCheck(status=range(200, 203)), response({}, 202), True),
        (ResponseCheck(status=HTTPStatus.OK), response({}), True),
        (ResponseCheck(json_path="$.s", expected=1), response({"s": True}), False),
        (ResponseCheck(json_path="$.s", expected=True), response({"s": 1}), False),
        (ResponseCheck(json_path="$.s", expected=1), response({"s": 1.0}), True),
        (ResponseCheck(json_path="$.s", expected=[[1, {"a": 0}]]), response({"s": [1, {"a": 0}]}), True),
        (ResponseCheck(json_path="$.s", expected=[[1, {"a": 0}]]), response({"s": [1, {"a": False}]}), False),
        (ResponseCheck(json_path="$.s", failed=[0]), response({"s": False}), False),
        (ResponseCheck(json_path="$.s"), response('{"s": 1, "s": NaN}'), True),
    ],
)
def test_what_holds(check: ResponseCheck, given: ReadResponse, holds: bool) -> None:
    assert check(given) is holds
    assert ResponseCheck.of(json.loads(json.dumps(check.arguments())))(given) is holds  # type: ignore[misc]


def test_a_failed_value_is_final() -> None:
    with pytest.raises(ResourceError, match='s is "error", which means failed; expected "done"') as caught:
        ResponseCheck(json_path="s", expected="done", failed=["error"])(response({"s": "error"}))
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "given, message",
    [
        (response("[" * 100_000), "nested"),
        (ReadResponse(200, "OK", "https://a.example", [], None), "too large"),
    ],
)
def test_an_answer_that_cannot_be_looked_at_is_an_error_of_its_own(given: ReadResponse, message: str) -> None:
    assert ResponseCheck(status=200)(given)
    with pytest.raises(ResourceError, match=message) as caught:
        ResponseCheck(json_path="s")(given)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "arguments, field",
    [
        ({}, "response_check"),
        ({"expected": 1}, "json_path"),
        ({"status": 200, "failed": ["x"]}, "json_path"),
        ({"path": "$"}, "response_check"),
        ({"json_path": "$.["}, "json_path"),
        ({"json_path": 1}, "json_path"),
        ({"status": "200"}, "status"),
        ({"status": [200, "201"]}, "status"),
        ({"status": True}, "status"),
        ({"status": []}, "status"),
    ],
)
def test_what_cannot_be_meant(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ResponseCheck.of(arguments)
    assert caught.value.field == field


def test_a_callable_is_none() -> None:
    assert ResponseCheck.of(lambda _: True) is None


@pytest.mark.parametrize(
    ("check", "given", "text"),
    [
        pytest.param({"status": 200}, response({}, 202), "the status is 202, expected 200", id="status"),
        pytest.param(
            {"status": [200, 201], "json_path": "$.s"},
            response({"s": 1}, 204),
            "the status is 204, expected 200 or 201",
            id="status before value",
        ),
        pytest.param(
            {"json_path": "$.state", "expected": "done"},
            response({"state": "running"}),
            '$.state is "running", expected "done"',
            id="value",
        ),
        pytest.param(
            {"json_path": "$.n", "expected": [1, None, True]},
            response({"n": {"a": 1}}),
            "$.n is an object of 1 names, expected 1 or null or true",
            id="several",
        ),
        pytest.param(
            {"json_path": "$.state"},
            response({"state": None}),
            "$.state is null, expected a value",
            id="any value",
        ),
        pytest.param(
            {"json_path": "$.state", "expected": "done", "failed": ["error"]},
            response({"state": "error"}),
            '$.state is "error", which means failed; expected "done"',
            id="failed",
        ),
        pytest.param(
            {"json_path": "$.stat", "expected": "done"},
            response({"id": 1, "state": "done"}),
            'the response has no $.stat: $ has id, state; expected $.stat = "done"',
            id="missing",
        ),
        pytest.param(
            {"json_path": "$.state", "expected": "done"},
            response("<html>"),
            'the response has no $.state: its body is no JSON; expected $.state = "done"',
            id="HTML",
        ),
    ],
)
def test_what_is_not_as_expected_is_told(check: dict[str, Any], given: ReadResponse, text: str) -> None:
    assert ResponseCheck(**check).inspect(given).mismatch() == text
