"""Times for people and for machines."""

from __future__ import annotations

import time

import pytest

from airflow_oauth_provider.authorizations.times import DAY, certificate_warning, iso, utc


def test_the_same_moment_for_people_and_for_machines() -> None:
    assert utc(1_764_028_800) == "2025-11-25 00:00:00 UTC"
    assert iso(1_764_028_800) == "2025-11-25T00:00:00+00:00"
    assert (utc(None), iso(None)) == ("never", None)


@pytest.mark.parametrize(
    ("days", "says"),
    [(None, None), (31, None), (29.9, "ends in 30 days"), (0.2, "ends in 0 days"), (-1, "no longer valid")],
)
def test_the_end_of_a_certificate(days: float | None, says: str | None) -> None:
    warning = certificate_warning(None if days is None else time.time() + days * DAY)
    assert warning is None if says is None else says in (warning or "")
