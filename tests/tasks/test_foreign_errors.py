"""Errors of the DAG's own callables and of libraries, without what is confidential of ours."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import requests

from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.tasks.foreign_errors import called, shown_traceback
from tests.support.confidential import assert_nothing_confidential

pytestmark = pytest.mark.fault("F04", "F20", "F27")

SECRET = 'a"secret&of <this> täst'
REDACTOR = Redactor([SECRET])


def raising(error: BaseException, cause: BaseException | None = None) -> Any:
    def function(*_: Any) -> Any:
        if cause is None:
            raise error
        try:
            raise cause
        except type(cause):
            raise error  # noqa: B904  (as people write it)

    return function


def raised(function: Any, **options: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:
        called(function, "response", **{"redactor": REDACTOR, "name": "response_check", **options})
    return caught.value


def test_what_is_returned_is_returned() -> None:
    def function(response: str, *, ds: str) -> Any:
        return response, ds

    assert called(function, "r", redactor=REDACTOR, name="x", ds="d") == ("r", "d")


@pytest.mark.parametrize(
    "error", [ValueError("no page 7"), KeyError("next"), SystemExit(1), KeyboardInterrupt()]
)
def test_one_that_holds_nothing_is_raised_as_it_is(error: BaseException) -> None:
    assert raised(raising(error)) is error


class AwkwardError(Exception):
    """It cannot be copied: its constructor wants more than it hands on."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.number = number


class StubbornError(Exception):
    """It says the same whatever its arguments are."""

    def __str__(self) -> str:
        return f"still {SECRET}"


def with_attribute(value: Any) -> Exception:
    error = ValueError("dull")
    vars(error)["seen"] = value
    return error


@pytest.mark.parametrize(
    "error, kind",
    [
        pytest.param(ValueError(f"no page in {SECRET}"), ValueError, id="text"),
        pytest.param(ValueError("dull", {"body": [SECRET]}), ValueError, id="argument"),
        pytest.param(with_attribute({"body": SECRET}), ValueError, id="attribute"),
        pytest.param(json.JSONDecodeError("dull", SECRET, 0), json.JSONDecodeError, id="document"),
        pytest.param(
            UnicodeDecodeError("ascii", SECRET.encode(), 0, 1, "dull"), UnicodeDecodeError, id="bytes"
        ),
        pytest.param(AwkwardError(SECRET, 7), RuntimeError, id="not-to-be-copied"),
        pytest.param(StubbornError(), RuntimeError, id="stubborn"),
    ],
)
def test_one_that_repeats_a_secret(
    error: Exception, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    safe = raised(raising(error))
    assert type(safe) in {kind, RuntimeError}
    assert_nothing_confidential(safe, [SECRET], ours=False)
    assert f"response_check raised {type(error).__name__} in called (" in caplog.text, "and where"
    assert "function (test_foreign_errors.py" in caplog.text


def test_one_behind_another(caplog: pytest.LogCaptureFixture) -> None:
    safe = raised(raising(ValueError("dull"), json.JSONDecodeError("dull", SECRET, 0)))
    assert str(safe) == "dull"
    assert_nothing_confidential(safe, [SECRET], ours=False)


def test_what_cannot_be_looked_through_is_left_behind() -> None:
    response = requests.Response()
    error = requests.HTTPError(f"{SECRET}!", response=response, request=None)
    safe = raised(raising(error))
    assert_nothing_confidential(safe, [SECRET], ours=False)
    assert not any(value is response for value in vars(safe).values())


def test_a_traceback_for_a_log() -> None:
    whole = raised(raising(ValueError(f"no page in {SECRET}"), KeyError(SECRET)), redactor=NOTHING)
    printed = shown_traceback(whole, REDACTOR)
    assert "no page in ***" in printed
    assert "in function" in printed
    assert SECRET in shown_traceback(whole, NOTHING)
    part = raised(raising(ValueError(f"no page in {SECRET[:14]}")), redactor=NOTHING)
    printed = shown_traceback(part, REDACTOR)
    assert SECRET[:12] not in printed
    assert "function (test_foreign_errors.py" in printed


def test_nothing_is_logged_of_others(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        raised(raising(ValueError("no page 7")))
    assert not caplog.records
