from __future__ import annotations

import functools
import operator
import warnings
from typing import Any, NoReturn

import pytest
from airflow.providers.common.compat.sdk import PokeReturnValue

from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.tasks.callables import call_with_context, truth_of

CONTEXT: Any = {"ds": "2026-01-01", "ti": "the task instance"}


def call(function: Any) -> Any:
    return call_with_context(function, "response", CONTEXT, redactor=NOTHING, name="response_check")


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (lambda response: response, "response"),
        (lambda response, ds: (response, ds), ("response", "2026-01-01")),
        (lambda response, **context: (response, sorted(context)), ("response", ["ds", "ti"])),
        (lambda _, ti, *, ds: (ti, ds), ("the task instance", "2026-01-01")),
        (bool, True),
        (operator.methodcaller("upper"), "RESPONSE"),
        (functools.partial(lambda text, response: text + response, "the "), "the response"),
    ],
)
def test_it_is_given_what_its_parameters_name(function: Any, result: Any) -> None:
    assert call(function) == result


class Odd:
    """A callable whose parameters cannot be looked at."""

    @property
    def __signature__(self) -> NoReturn:
        raise LookupError("it repeats a-secret-of-the-connections")

    def __call__(self, response: str) -> str:
        return response


def test_what_it_raises_when_it_is_looked_at_repeats_no_secret() -> None:
    redactor = Redactor(["a-secret-of-the-connections"])
    with pytest.raises(LookupError, match=r"it repeats \*\*\*"):
        call_with_context(Odd(), "response", CONTEXT, redactor=redactor, name="response_check")


class Undecided:
    """As a data frame has it: neither true nor false."""

    def __bool__(self) -> NoReturn:
        raise ValueError("neither, of a-secret-of-the-connections")


@pytest.mark.parametrize("read", [bool, truth_of])
def test_what_its_result_raises_when_it_is_read_repeats_no_secret(read: Any) -> None:
    redactor = Redactor(["a-secret-of-the-connections"])
    with pytest.raises(ValueError, match=r"neither, of \*\*\*"):
        call_with_context(
            lambda _: Undecided(), "response", CONTEXT, redactor=redactor, name="response_check", read=read
        )


def test_a_result_that_says_so_itself_stays_as_it_is() -> None:
    result = PokeReturnValue(is_done=True, xcom_value=7)
    assert truth_of(result) is result
    assert truth_of([]) is False


@pytest.mark.fault("F52")
def test_nothing_is_deprecated() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(lambda _, ds: ds)
