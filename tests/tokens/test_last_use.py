"""The record of a last use is believed by nobody unchecked."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from airflow_oauth_provider.tokens.last_use import LONGEST_PROBE, LastUse, Probe
from airflow_oauth_provider.tokens.records import Status

NOW = time.time()


def status(**changes: Any) -> dict[str, Any]:
    return {**Status().content(), **changes}


def record(**changes: Any) -> bytes:
    """Write a record of which some values are others."""
    written = {
        "fingerprint": "f" * 32,
        "at": NOW,
        "status": status(),
        "requests": 1,
        "refusals": 0,
        "hits": 0,
        "since": NOW,
        **changes,
    }
    return json.dumps(written).encode()


def with_status(**changes: Any) -> bytes:
    return record(status=status(**changes))


def with_error(**changes: Any) -> bytes:
    return with_status(error={"type": "TransportError", "message": "x", **changes})


ODD: list[Any] = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"[]", id="list"),
    pytest.param(b'{"status": 1}', id="status is a number"),
    pytest.param(b"[" * 100_000, id="deep"),
    pytest.param(b"\xff\xfe", id="no UTF-8"),
    pytest.param(record(at="x"), id="time is a text"),
    pytest.param(record(at=True), id="time is a boolean"),
    pytest.param(record(at=None), id="no time"),
    pytest.param(record(at=NOW + 86_400), id="time to come"),
    pytest.param(record(at=-1), id="before the epoch"),
    pytest.param(record(at=float("nan")), id="NaN"),
    pytest.param(record(since=float("inf")), id="infinity"),
    pytest.param(record(since=10**400), id="401 digits"),
    pytest.param(record(fingerprint=["f"]), id="fingerprint is a list"),
    pytest.param(record(requests="5"), id="count is a text"),
    pytest.param(record(refusals="5"), id="count of refusals is a text"),
    pytest.param(record(hits=-1), id="count is negative"),
    pytest.param(record(hits=1.5), id="count is a fraction"),
    pytest.param(record(hits=10**30), id="count is enormous"),
    pytest.param(record(probe=[]), id="probe is a list"),
    pytest.param(record(probe={"at": "x", "ok": True, "text": ""}), id="probe at a text"),
    pytest.param(record(probe={"at": NOW + 86_400, "ok": True, "text": ""}), id="probe later"),
    pytest.param(record(probe={"at": NOW, "ok": 1, "text": ""}), id="probe is fine by a number"),
    pytest.param(record(probe={"at": NOW, "ok": True, "text": ["x"]}), id="probe has a list"),
    pytest.param(record(status={}), id="empty status"),
    pytest.param(record(status="{}"), id="status is a text"),
    pytest.param(with_status(expires_at=4_102_444_800), id="until 2100, of no grant"),
    pytest.param(with_status(authorized_at=NOW, expires_at=4_102_444_800), id="until 2100"),
    pytest.param(with_status(authorized_at=NOW + 3600), id="granted later"),
    pytest.param(with_status(authorized_at="2026"), id="granted at a text"),
    pytest.param(with_status(refused_at=NOW + 3600), id="refused later"),
    pytest.param(with_status(refused_at=NOW, refused_until=NOW + 10**6), id="for days"),
    pytest.param(with_status(scopes="read"), id="scopes are a text"),
    pytest.param(with_status(scopes=[1]), id="scope is a number"),
    pytest.param(with_status(scopes_stated=1), id="scopes are stated by a number"),
    pytest.param(with_status(details=["x"]), id="details are a list"),
    pytest.param(with_status(details="{"), id="details are no JSON"),
    pytest.param(with_status(details='"x"'), id="details are a text"),
    pytest.param(with_status(revoked_issue="x"), id="revoked at a text"),
    pytest.param(with_status(revoked_issue=NOW + 3600), id="revoked later"),
    pytest.param(with_status(early_at=NOW + 3600), id="renewed later"),
    pytest.param(with_status(permanent="yes"), id="permanent is a text"),
    pytest.param(with_status(in_a_row="many"), id="in a row is a text"),
    pytest.param(with_status(budget=-5), id="budget is negative"),
    pytest.param(with_status(error="invalid_client"), id="error is a text"),
    pytest.param(with_error(type="SystemExit"), id="error of no known class"),
    pytest.param(with_error(type="ConfigurationError"), id="error of its own caller only"),
    pytest.param(with_error(message=5), id="message is a number"),
    pytest.param(with_error(retry_after="soon"), id="seconds are a text"),
    pytest.param(with_error(conn_id="y"), id="error names a connection"),
    pytest.param(with_error(retryable=1), id="retryable is a number"),
]


@pytest.mark.fault("F22")
@pytest.mark.parametrize("written", ODD)
def test_a_record_that_is_not_what_it_should_be_is_not_known(written: bytes) -> None:
    assert LastUse.load(written) is None


def test_a_record_of_a_later_version_may_say_more() -> None:
    assert LastUse.load(record(more=1, status=status(more=1))) is not None


def test_a_probe_is_written_as_it_is_read() -> None:
    """What steers a terminal is gone already."""
    probe = Probe.now("200 \x1b[31mOK\n" + "x" * 2000, ok=True)
    last_use = LastUse("f" * 32, NOW, Status(), since=NOW, probe=probe)
    assert LastUse.load(last_use.dump()) == last_use


def test_texts_of_a_record_are_cut() -> None:
    """Anybody who can write to the store can make them as long as they like."""
    long = record(fingerprint="f" * 5000, probe={"at": NOW, "ok": True, "text": "x" * 5000})
    last_use = LastUse.load(long)
    assert last_use is not None
    assert last_use.probe is not None
    assert (last_use.fingerprint, last_use.probe.text) == ("f" * 64, "x" * LONGEST_PROBE)
