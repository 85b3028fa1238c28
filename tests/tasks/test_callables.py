from __future__ import annotations

import warnings
from typing import Any

import pytest

from airflow_oauth_provider.protocol.redaction import NOTHING
from airflow_oauth_provider.tasks.callables import call_with_context

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
    ],
)
def test_it_is_given_what_its_parameters_name(function: Any, result: Any) -> None:
    assert call(function) == result


@pytest.mark.fault("F52")
def test_nothing_is_deprecated() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(lambda _, ds: ds)
