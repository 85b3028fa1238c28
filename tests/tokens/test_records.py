"""Outcomes as sealed entries hold them."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.tokens.records import Status, concerns_others
from airflow_oauth_provider.transport.stopping import TaskStoppedError

NOW = time.time()
REFUSED = Status(
    authorized_at=NOW - 100,
    expires_at=NOW + 3500,
    scopes=("read",),
    scopes_stated=False,
    details='[{"type": "orders"}]',
    refused_at=NOW - 5,
    error=InvalidClientError("no", status=401, error="invalid_client", conn_id="mine"),
    refused_until=NOW + 55,
    permanent=True,
    in_a_row=3,
    budget=60.0,
    early_at=NOW - 50,
)


def test_what_is_written_is_read_under_no_connections_name() -> None:
    again = Status.load(REFUSED.dump())
    assert again == REFUSED
    assert again is not None
    assert type(again.error) is InvalidClientError
    assert again.error.error == "invalid_client"
    assert again.error.conn_id is None


@pytest.mark.parametrize(
    ("error", "concerns"),
    [
        (InvalidClientError("x", status=401), True),
        (TokenEndpointError("x", status=503), True),
        (TransportError("x"), True),
        (TaskStoppedError("x"), False),
        (ConfigurationError("x"), False),
    ],
)
def test_only_what_concerns_others_is_written(error: OAuthError, concerns: bool) -> None:
    assert concerns_others(error) is concerns
    again = Status.load(Status(error=error).dump())
    assert again is not None
    assert (again.error is not None) is concerns


def test_an_end_that_nobody_would_believe_is_cut_when_written() -> None:
    again = Status.load(Status.authorized(granted(expires_at=math.inf)).dump())
    assert again is not None
    assert again.expires_at is not None
    assert again.expires_at < NOW + 400 * 86_400


@pytest.mark.fault("F22")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorized_at", "yesterday"),
        ("authorized_at", NOW + 86_400),
        ("expires_at", NOW + 80 * 366 * 86_400),
        ("scopes", "read"),
        ("refused_until", NOW + 10**6),
        ("permanent", 1),
        ("in_a_row", -1),
        ("in_a_row", 2.5),
        ("budget", 10**9),
        ("early_at", None),
        ("error", "text"),
        ("error", {"type": "os.system", "message": "x"}),
    ],
)
def test_one_forged_value_makes_it_unknown(name: str, value: Any) -> None:
    content = json.loads(REFUSED.dump())
    assert Status.load(json.dumps(content | {name: value}).encode()) is None
    del content[name]
    assert Status.load(json.dumps(content).encode()) is None


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"a": 1, "a": 2}', b"[" * 100_000])
def test_what_is_no_record(data: bytes) -> None:
    assert Status.load(data) is None


@pytest.mark.fault("F22")
def test_a_link_that_is_none_is_dropped() -> None:
    content = json.loads(
        Status(error=TokenEndpointError("x", status=400, uri="https://idp.example/help")).dump()
    )
    record = json.dumps(content).replace("https://idp.example/help", "javascript:alert(1)")
    again = Status.load(record.encode())
    assert again is None or getattr(again.error, "uri", None) is None


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


@pytest.mark.parametrize("foreign", ["x", "[]", '[{"type": 7}]', 7, ["x"], {"type": "x"}])
def test_details_of_a_store_that_are_none_make_the_record_unknown(foreign: object) -> None:
    content = json.loads(REFUSED.dump())
    assert Status.load(json.dumps(content | {"details": foreign}).encode()) is None
    del content["details"]
    without = Status.load(json.dumps(content).encode())
    assert without is not None, "of an older version of this package"
    assert without.details is None


def granted(**changes: Any) -> AccessToken:
    return AccessToken(
        **{"value": "t", "token_type": "Bearer", "expires_at": NOW + 60, "issued_at": NOW, **changes}
    )


@pytest.mark.parametrize(
    "token",
    [
        granted(),
        granted(scopes=frozenset({"write", "read"}), scopes_stated=False),
        granted(scopes=frozenset({"a\x1b[31mb", "c\nd", "e\ud800f", "g" * 9000})),
        granted(expires_at=math.inf),
        granted(expires_at=NOW + 10**12),
        granted(expires_at=0.0, issued_at=0.0),
    ],
    ids=["plain", "scopes", "odd scopes", "for ever", "for ages", "at the epoch"],
)
def test_a_success_reads_back_as_it_was(token: AccessToken) -> None:
    status = Status.authorized(token, early_at=NOW - 3)
    assert status.reads_back(NOW)
    assert Status.load(status.dump()) == status


@pytest.mark.parametrize(
    "changes",
    [
        {"authorized_at": NOW + 3600},
        {"authorized_at": -1.0},
        {"authorized_at": math.nan},
        {"authorized_at": NOW, "expires_at": -1.0},
        {"revoked_issue": NOW + 3600},
        {"early_at": NOW + 3600},
        {"details": "[]"},
        {"error": TransportError("x")},
    ],
    ids=[
        "granted later",
        "before the epoch",
        "at no time",
        "ends before the epoch",
        "revoked later",
        "early later",
        "details",
        "error",
    ],
)
def test_what_would_be_read_otherwise_does_not_read_back(changes: dict[str, Any]) -> None:
    assert not Status(**changes).reads_back(NOW)
