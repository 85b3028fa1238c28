"""Times for people and for machines."""

from __future__ import annotations

import time

import pytest

from airflow_oauth_provider.authorizations.times import (
    DAY,
    certificate_warning,
    credential_warning,
    expiry_warnings,
    iso,
    utc,
)


def test_one_moment_for_people_and_for_machines() -> None:
    assert utc(1_800_000_000.9) == "2027-01-15 08:00:00 UTC"
    assert iso(1_800_000_000.9) == "2027-01-15T08:00:00+00:00"
    assert (utc(None), iso(None)) == ("never", None)


@pytest.mark.parametrize(
    ("days", "within", "says"),
    [
        (-0.1, 30, "no longer valid"),
        (0.2, 30, "in less than a day"),
        (29.9, 30, "in 30 days"),
        (30.1, 30, None),
        (45, 60, "in 45 days"),
    ],
)
def test_a_certificate_that_ends(days: float, within: float, says: str | None) -> None:
    warning = certificate_warning(time.time() + days * DAY, within)
    assert (says in warning) if says and warning else warning is None
    assert certificate_warning(None) is None


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (-0.1, "was to end on"),
        (0.2, "in less than a day: renew it"),
        (1.2, "in 1 day: renew it"),
        (30.1, None),
    ],
)
def test_a_credential_that_ends(days: float, says: str | None) -> None:
    warning = credential_warning(time.time() + days * DAY)
    assert (says in warning) if says and warning else warning is None
    assert credential_warning(None) is None


def test_both_ends() -> None:
    soon = time.time() + DAY
    assert [text.split()[:3] for text in expiry_warnings(soon, soon)] == [
        ["the", "client's", "certificate"],
        ["the", "credential", "ends"],
    ]
    assert expiry_warnings(None, soon + 2 * DAY, 1) == ()
