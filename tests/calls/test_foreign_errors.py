"""Errors of the DAG's own callables and of libraries, without what is confidential of ours."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_oauth_provider.calls.foreign_errors import called, shown_traceback
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.call.credentials import TokenHeader
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from tests.support.confidential import assert_nothing_confidential
from tests.support.servers.scripted import Json, RecordedRequest, Redirect, ScriptedResponse
from tests.support.service import Service, echo

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


class UnprintableError(Exception):
    """Who prints it gets another error."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self._reason: Callable[[], BaseException] = lambda: reason  # not to be seen beside it

    def __str__(self) -> str:
        raise self._reason()


class EndingError(UnprintableError):
    """Who looks at it or copies it in any other way, too."""

    __repr__ = UnprintableError.__str__

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise self._reason()


class UnequalError(Exception):
    """Like nothing, not even itself."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError(SECRET)


class UnpreparedError(Exception):
    """As some libraries have them: what a property shows is not there yet."""

    @property
    def text(self) -> str:
        raise RuntimeError("no response was set")


class ArgumentlessError(Exception):
    """Nobody can look at its arguments."""

    args = property(lambda _: 1 // 0)

    def __str__(self) -> str:
        return SECRET


class _Unshowable:
    def __init__(self, reason: str = "dull") -> None:
        self._reason = reason

    def __repr__(self) -> str:
        raise ValueError(self._reason)


def code_error() -> SyntaxError:
    """As of ``ast.literal_eval(response.text)``: Python prints the line, whatever the arguments are."""
    with pytest.raises(SyntaxError) as caught:
        ast.literal_eval(f"{{ # {SECRET}")
    return caught.value


def grouped() -> ExceptionGroup[Exception]:
    """As of ``asyncio.TaskGroup``; the secret is said by what stands behind one of the group."""
    inner = KeyError("dull")
    inner.__cause__ = ValueError(SECRET)
    return ExceptionGroup("dull", [inner])


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
        pytest.param(OSError(5, SECRET), OSError, id="operating-system"),
        pytest.param(OSError(5, "dull", SECRET), OSError, id="file"),
        pytest.param(ImportError("dull", name=SECRET), ImportError, id="module"),
        pytest.param(StopIteration(SECRET), StopIteration, id="value"),
        pytest.param(code_error(), SyntaxError, id="line-of-code"),
        pytest.param(SystemExit(SECRET), SystemExit, id="exit"),
        pytest.param(asyncio.CancelledError(SECRET), asyncio.CancelledError, id="cancelled"),
        pytest.param(UnequalError(SECRET), UnequalError, id="unequal"),
        pytest.param(UnpreparedError(SECRET), UnpreparedError, id="property"),
        pytest.param(ArgumentlessError(), RuntimeError, id="arguments"),
        pytest.param(ValueError(SECRET, _Unshowable()), ValueError, id="not-to-be-shown"),
        pytest.param(with_attribute([_Unshowable(), {SECRET: 1}]), ValueError, id="beside-not-to-be-shown"),
        pytest.param(UnprintableError(ValueError(SECRET)), RuntimeError, id="not-to-be-printed"),
        pytest.param(ValueError(_Unshowable(SECRET)), RuntimeError, id="why-not-to-be-shown"),
        pytest.param(UnprintableError(SystemExit(SECRET)), RuntimeError, id="printed-ends-all"),
        pytest.param(EndingError(KeyboardInterrupt(SECRET)), RuntimeError, id="copied-ends-all"),
        pytest.param(grouped(), RuntimeError, id="group"),
        pytest.param(BaseExceptionGroup("dull", [SystemExit(SECRET)]), RuntimeError, id="group-of-exits"),
        pytest.param(type(SECRET, (Exception,), {})(SECRET), RuntimeError, id="class"),
        pytest.param(AwkwardError(SECRET, 7), RuntimeError, id="not-to-be-copied"),
        pytest.param(StubbornError(), RuntimeError, id="stubborn"),
    ],
)
def test_one_that_repeats_a_secret(
    error: BaseException, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    safe = raised(raising(error))
    assert type(safe) is kind
    assert_nothing_confidential(safe, [SECRET], ours=False)
    said = REDACTOR.text(type(error).__name__)
    assert f"response_check raised {said} in called (" in caplog.text, "and where"
    assert SECRET not in caplog.text
    assert "function (test_foreign_errors.py" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        UnprintableError(ValueError("dull")),
        UnequalError("dull"),
        UnpreparedError("dull"),
        ValueError(_Unshowable()),
    ],
)
def test_one_that_cannot_be_looked_at_is_raised_as_it_is(error: Exception) -> None:
    behind = UnequalError("dull")
    assert raised(raising(error, behind)) is error


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_one_that_ends_its_process_when_it_is_printed_is_not_passed_on(
    end: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Airflow's log would end the task, and say nothing."""
    safe = raised(raising(UnprintableError(end())))
    assert type(safe) is RuntimeError
    assert (
        str(safe) == "response_check raised UnprintableError, whose text repeats a secret or cannot be read"
    )
    assert "function (test_foreign_errors.py" in caplog.text, "where it came from"


@pytest.mark.parametrize("text", ["dull", SECRET])
def test_a_chain_that_leads_back_to_where_it_began(text: str) -> None:
    """``raise error from error`` makes one."""
    error, other = ValueError(text), KeyError("dull")
    error.__cause__, other.__cause__ = other, error
    assert_nothing_confidential(raised(raising(error)), [SECRET], ours=False)


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


class TestResponsesOfErrors:
    """What ``raise_for_status`` in a check keeps."""

    def failed(self, service: Service) -> requests.HTTPError:
        def api(request: RecordedRequest) -> ScriptedResponse:
            return Redirect("/api/new", 307) if request.target == "/api/x" else Json({"error": "no"}, 422)

        service.api = api
        hook = OAuth2Hook(connection=service.connection(), method="POST")
        response = hook.run("x", json={"a": 1}, extra_options={"check_response": False})
        error = raised(lambda _: response.raise_for_status(), redactor=hook.redactor)
        assert isinstance(error, requests.HTTPError)
        return error

    def test_the_token_is_gone_and_all_else_is_there(self, service: Service) -> None:
        error = self.failed(service)
        response = error.response
        assert (response.status_code, response.json()) == (422, {"error": "no"})
        assert response.request.url == f"{service.base_url}/new"
        for past in (response, *response.history):
            assert past.request.headers["Authorization"] == "Bearer ***"
            assert past.request.headers["User-Agent"]
        assert response.history
        assert error.request is response.request

    def test_nor_does_it_travel(self, service: Service) -> None:
        assert b"tok-1" not in pickle.dumps(self.failed(service))

    def test_behind_another_one(self, service: Service) -> None:
        error = self.failed(service)
        error.response.request.headers["Authorization"] = TokenHeader("Bearer tok-1")
        assert isinstance(raised(raising(ValueError("dull"), error)), ValueError)
        assert error.response.request.headers["Authorization"] == "Bearer ***"

    def test_the_next_call_has_its_token(self, service: Service) -> None:
        self.failed(service)
        service.api = echo
        hook = OAuth2Hook(connection=service.connection(), method="GET")
        assert hook.run("y").json()["authorization"] == "Bearer tok-1"


def test_who_parses_dag_files_imports_nothing_of_keys() -> None:
    program = (
        "import sys, airflow_oauth_provider.operators.oauth2\n"
        "print([name for name in sys.modules if name.startswith('airflow_oauth_provider.protocol.dpop')])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert printed.stdout.splitlines()[-1] == "[]"
