"""Errors as JSON: all there is of each comes back, and nothing else ever does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.editing import SecretsRequiredError
from airflow_oauth_provider.authorizations.saving import ChangedMeanwhileError
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
    UnexpectedError,
)
from airflow_oauth_provider.protocol import error_record
from airflow_oauth_provider.protocol.error_record import MAX_TEXT, RecordError, from_dict, to_dict
from airflow_oauth_provider.transport.call_failure import CallFailedError, CallTimeoutError
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from airflow_oauth_provider.triggers.events import EventError

ERRORS: list[OAuthError] = [
    UnexpectedError("failed unexpectedly (KeyError)"),
    OAuthError("m", conn_id="c"),
    ConfigurationError("m", field="f", conn_id="c"),
    ConnectionNotFoundError("m", field="f", conn_id="c"),
    InvalidClientError("m", status=401, error="invalid_client", retryable=False, conn_id="c"),
    CallFailedError("m", host="h:1", retryable=True, conn_id="c"),
    CallTimeoutError("m", host="h:1", conn_id="c"),
    TransportError("m", host="h:1", attempts=4, elapsed=1.5, retry_after=3.0, conn_id="c"),
    TokenResponseError("m", status=200, conn_id="c"),
    TokenEndpointError("m", status=503, retry_after=9.0, retryable=True, uri="https://a", conn_id="c"),
    ResourceError("m", status=429, challenge="Bearer", retryable=True, retry_after=2.0, conn_id="c"),
    ResourceError(
        "m", status=404, method="GET", url="https://a/b?c=***", body='{"message": "no"}', conn_id="c"
    ),
    InsufficientScopeError("m", scope="a b", status=403, challenge="Bearer", conn_id="c"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_come_back_whole(error: OAuthError) -> None:
    again = from_dict(json.loads(json.dumps(to_dict(error))))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_no_class_is_left_out() -> None:
    def classes(kind: type[OAuthError]) -> set[type[OAuthError]]:
        return {kind}.union(*map(classes, kind.__subclasses__()))

    ours = {kind for kind in classes(OAuthError) if kind.__module__.startswith("airflow_oauth_provider")}
    assert {type(error) for error in ERRORS} == set(error_record._classes.values())
    of_one_process = {
        *(TaskStoppedError, EventError),
        *(SecretsRequiredError, ChangedMeanwhileError, WrongFieldsError),
    }
    assert ours - set(error_record._classes.values()) == of_one_process


def test_a_class_of_somebody_else_becomes_its_nearest_ancestor() -> None:
    class OwnError(TokenEndpointError):
        """Of a custom provider."""

    error = OwnError("m", status=400)
    error.own = object()  # type: ignore[attr-defined]
    again = from_dict(json.loads(json.dumps(to_dict(error))))
    assert type(again) is TokenEndpointError
    assert vars(again) == vars(TokenEndpointError("m", status=400))


def test_names_of_a_newer_version_are_passed_over() -> None:
    again = from_dict(to_dict(ResourceError("m", status=500)) | {"news": 1})
    assert isinstance(again, ResourceError)
    assert not hasattr(again, "news")


def test_texts_are_cut_and_cleaned() -> None:
    again = from_dict({"type": "ResourceError", "message": "a\nb\x1b[2J\ud800" + "x" * 2 * MAX_TEXT})
    assert again.message.startswith("a b [2J?xxx")
    assert len(again.message) == MAX_TEXT


@pytest.mark.parametrize(
    "record",
    [
        None,
        7,
        "TransportError",
        [],
        {},
        {"message": "m"},
        {"type": "TransportError"},
        {"type": "os.system", "message": "m"},
        {"type": "TaskStoppedError", "message": "m"},
        {"type": ["TransportError"], "message": "m"},
        {"type": "TransportError", "message": None},
        {"type": "TransportError", "message": 7},
        {"type": "TransportError", "message": "m", "host": 7},
        {"type": "TransportError", "message": "m", "attempts": None},
        {"type": "TransportError", "message": "m", "attempts": "4"},
        {"type": "TransportError", "message": "m", "attempts": True},
        {"type": "TransportError", "message": "m", "attempts": 1.5},
        {"type": "TransportError", "message": "m", "attempts": -1},
        {"type": "TransportError", "message": "m", "elapsed": float("nan")},
        {"type": "TransportError", "message": "m", "elapsed": float("inf")},
        {"type": "TransportError", "message": "m", "retryable": 1},
        {"type": "TransportError", "message": "m", "retryable": "yes"},
        {"type": "TransportError", "message": "m", "retry_after": -1},
        {"type": "TransportError", "message": "m", "retry_after": 10**400},
        {"type": "ResourceError", "message": "m", "status": "401"},
        {"type": "ResourceError", "message": "m", "status": {}},
        {"type": "ConfigurationError", "message": "m", "field": ["f"]},
    ],
    ids=lambda record: str(record)[:80],
)
def test_what_holds_no_error_is_refused(record: Any) -> None:
    with pytest.raises(RecordError) as caught:
        from_dict(record)
    assert "4" not in str(caught.value), "no value is repeated"
