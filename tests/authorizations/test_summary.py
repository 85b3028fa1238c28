"""Checks as a table."""

from __future__ import annotations

import time

import pytest

from airflow_oauth_provider.authorizations import CheckResult
from airflow_oauth_provider.authorizations.clamping import LONGEST_CELL
from airflow_oauth_provider.authorizations.summary import aligned, checked_row
from airflow_oauth_provider.authorizations.times import DAY
from airflow_oauth_provider.exceptions import TransportError


@pytest.mark.fault("F49")
def test_every_row_stays_on_its_line_and_every_column_in_its_place() -> None:
    rows: list[dict[str, object]] = [
        {"name": "a\nb", "message": "\x1b[31mred"},
        {"name": None, "message": "a longer one"},
    ]
    assert aligned(rows).splitlines() == [
        "name | message",
        "=====+=============",
        "a b  | [31mred",
        "     | a longer one",
    ]
    assert aligned([]) == ""


def test_what_ends_soon_is_not_lost_behind_a_long_refusal() -> None:
    ends_at = time.time() + 12.5 * DAY
    error = TransportError("x" * 2000)
    row = checked_row(
        CheckResult("a", error=error, credential_expires_at=ends_at, certificate_expires_at=ends_at)
    )
    assert len(row["message"]) <= LONGEST_CELL
    assert "certificate ends in 12 days" in row["message"]
    assert "credential ends on" in row["message"]
    assert row["result"] == "failed"
    late = checked_row(CheckResult("a", credential_expires_at=ends_at), outcome="ok", within_days=10)
    assert "credential" not in late["message"]
