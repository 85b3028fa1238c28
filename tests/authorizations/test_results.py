"""What came of a check, for people and as JSON."""

from __future__ import annotations

import json

import pytest

from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    ResourceError,
    TokenEndpointError,
    TransportError,
)

AT = 1_800_000_000.0
GOOD = CheckResult("orders", expires_at=AT, lifetime=3600.0, granted=("read",), missing=("write",))
BAD = CheckResult(
    "orders",
    error=InvalidClientError("x", status=401, error="invalid_client", description="d" * 900),
)


def test_a_good_one() -> None:
    assert GOOD.ok
    assert GOOD.message == "Authorized until 2027-01-15 08:00:00 UTC. Asked for, but not granted: write."
    assert GOOD.headline == GOOD.message
    assert not GOOD.displayed
    report = GOOD.report()
    assert (report["ok"], report["expires_at"], report["error"]) == (True, "2027-01-15T08:00:00+00:00", None)
    assert (report["scopes"], report["missing_scopes"]) == (["read"], ["write"])


def test_a_refusal_is_one_line_and_whole_in_the_report() -> None:
    assert not BAD.ok
    assert len(BAD.message) < 500
    assert "…" in BAD.message
    assert BAD.headline == "Not authorized: invalid_client"
    report = BAD.report()
    assert "d" * 900 in report["message"]
    assert (report["error"]["type"], report["error"]["status"]) == ("InvalidClientError", 401)
    json.dumps(report)


@pytest.mark.parametrize(
    ("error", "displayed", "headline"),
    [
        (TransportError("gone"), True, "Not authorized"),
        (ConfigurationError("no scope"), False, "Not authorized: no scope"),
        (ResourceError("no", status=404), False, "Not authorized: no"),
    ],
)
def test_a_headline_repeats_nothing_that_stands_elsewhere(
    error: Exception, displayed: bool, headline: str
) -> None:
    result = CheckResult("orders", error=error)  # type: ignore[arg-type]
    assert (result.displayed, result.headline) == (displayed, headline)


LONG = "word " * 300


REFUSED = TokenEndpointError("refused", status=400, error="invalid_scope", description=LONG.strip())


@pytest.mark.fault("F46")
def test_one_line_cuts_the_reason_and_keeps_the_advice() -> None:
    result = CheckResult("orders", error=REFUSED.with_advice("change the scope"))
    assert len(result.message) < 300
    assert result.message.endswith("word…. Change the scope.")
    report = json.loads(json.dumps(result.report()))
    assert report["message"] == f"invalid_scope ({LONG.strip()})", "JSON has it whole"
    assert report["error"]["remedy"] == "Change the scope."
