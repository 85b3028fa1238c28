"""Outcomes as sealed entries hold them."""

from __future__ import annotations

import time

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    UnexpectedError,
)
from airflow_oauth_provider.tokens.records import Status

REFUSED = InvalidClientError("refused", status=401, error="invalid_client", description="no such client")


def test_an_outcome_comes_back_as_it_was() -> None:
    now = time.time()
    status = Status(
        authorized_at=now - 10,
        expires_at=now + 50,
        scopes=("read", "write"),
        scopes_stated=False,
        refused_at=now,
        error=REFUSED,
        refused_until=now + 60,
        permanent=True,
        in_a_row=3,
        budget=20.0,
        early_at=now - 5,
    )
    read = Status.load(status.dump())
    assert read == status
    assert isinstance(read.error, InvalidClientError)
    assert vars(read.error) == vars(REFUSED)


@pytest.mark.parametrize("error", [ConfigurationError("wrong"), UnexpectedError("a defect")])
def test_an_error_of_the_caller_alone_is_not_shared(error: OAuthError) -> None:
    read = Status.load(Status(refused_at=time.time(), error=error).dump())
    assert read is not None
    assert read.error is None


@pytest.mark.fault("F22")
def test_texts_are_cleaned_again() -> None:
    refused = TokenEndpointError(
        "a\x1b[31m\u202eb" + "x" * 10_000, status=401, error="e\n", uri="javascript:1"
    )
    read = Status.load(Status(refused_at=time.time(), error=refused, scopes=("a\x07b",)).dump())
    assert read is not None
    assert isinstance(read.error, TokenEndpointError)
    assert read.error.message.startswith("a [31m b")
    assert len(read.error.message) <= 8192
    assert (read.error.error, read.error.uri) == ("e ", None)
    assert read.scopes == ("a b",)
