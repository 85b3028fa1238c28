"""Lifetimes as servers tell them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import TokenResponseError
from airflow_oauth_provider.protocol.settings import ResponseSettings
from airflow_oauth_provider.protocol.token.lifetime import MAX_EXPIRES_IN, read_lifetime
from tests.support.builders import NOW

END = (("expires_at", ("expires_at",)),)


@pytest.mark.parametrize(
    ("unit", "value", "seconds"),
    [
        ("seconds", 3600, 3600),
        ("milliseconds", 3_600_000, 3600),
        ("milliseconds", "3599999.5", 3599),
        ("milliseconds", 10**400, MAX_EXPIRES_IN),
        ("milliseconds", "9" * 5000, MAX_EXPIRES_IN),
        ("milliseconds", 999, 0),
        ("minutes", 60, 3600),
        ("minutes", "59.5", 3540),
        ("minutes", 10**400, MAX_EXPIRES_IN),
        ("minutes", None, None),
    ],
)
def test_a_lifetime_in_its_unit(unit: str, value: Any, seconds: float | None) -> None:
    assert read_lifetime(ResponseSettings(expires_in_unit=unit), {"expires_in": value}, now=NOW) == seconds


@pytest.mark.parametrize("value", [True, -1, "soon", [60], {"seconds": 60}])
@pytest.mark.parametrize("unit", ["milliseconds", "minutes"])
def test_what_is_no_lifetime_names_its_unit(unit: str, value: Any) -> None:
    with pytest.raises(TokenResponseError, match=f"number of {unit}"):
        read_lifetime(ResponseSettings(expires_in_unit=unit), {"expires_in": value}, now=NOW)


@pytest.mark.parametrize(
    ("unit", "value", "seconds"),
    [
        ("seconds", NOW + 600, 600),
        ("seconds", str(int(NOW) + 600), 600),
        ("seconds", "2023-11-14T22:23:20Z", 600),
        ("seconds", "2023-11-15T00:23:20+02:00", 600),
        ("milliseconds", (NOW + 600) * 1000, 600),
        ("minutes", NOW + 600, 600),
        ("seconds", NOW - 5, 0),
        ("seconds", 10**400, MAX_EXPIRES_IN),
        ("seconds", None, None),
        ("seconds", "", None),
    ],
)
def test_the_end_of_a_token(unit: str, value: Any, seconds: float | None) -> None:
    rules = ResponseSettings(members=END, expires_in_unit=unit)
    assert read_lifetime(rules, {"expires_at": value}, now=NOW) == seconds


@pytest.mark.parametrize("value", ["2023-11-14T22:23:20", "tomorrow", True, -1, [1]])
def test_an_end_that_is_none(value: Any) -> None:
    with pytest.raises(TokenResponseError, match="expires_at"):
        read_lifetime(ResponseSettings(members=END), {"expires_at": value}, now=NOW)


def test_an_end_counts_only_where_the_connection_says_so_and_a_lifetime_comes_first() -> None:
    members = {"expires_at": NOW + 600}
    assert read_lifetime(ResponseSettings(), members, now=NOW) is None
    assert read_lifetime(ResponseSettings(members=END), {**members, "expires_in": 60}, now=NOW) == 60
