"""The life of a token as a bar."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from airflow_oauth_provider.authorizations.authorization import Authorization, AuthorizationStatus
from airflow_oauth_provider.plugin.token_life import token_life
from airflow_oauth_provider.protocol.access_token import AccessToken

GRANTED, ENDS = 1000.0, 4600.0


def authorization(granted_at: float | None = GRANTED, ends_at: float | None = ENDS) -> Authorization:
    return Authorization(
        "orders", AuthorizationStatus.AUTHORIZED, authorized_at=granted_at, expires_at=ends_at
    )


@pytest.mark.parametrize(
    ("now", "phase", "passed"),
    [
        (GRANTED, "in use", 0),
        (2800.0, "in use", 50),
        (4400.0, "in use, and renewed by the next that asks", 94),
        (4590.0, "not used any more: the next that asks gets another", 99),
    ],
)
def test_where_it_is(now: float, phase: str, passed: int) -> None:
    life = token_life(authorization(), now)
    assert life is not None
    assert life.phase == phase
    token = AccessToken("x", "Bearer", ENDS, GRANTED)
    assert (life.renewed_from, life.used_until) == (token.advisory_at, token.mandatory_at)
    root = ET.fromstring(str(life.drawing))
    title = root.findtext("title") or ""
    assert f"{passed} % have passed" in title
    assert "renewed from 91 % on, and not used from 98 % on" in title
    assert {path.get("class") for path in root.iter("path")} == {"ok", "stripes", "axis", "now"}


@pytest.mark.parametrize(
    ("granted_at", "ends_at", "now"),
    [(None, None, 0.0), (GRANTED, None, GRANTED), (GRANTED, ENDS, ENDS), (ENDS, GRANTED, 0.0)],
)
def test_none_where_there_is_none(granted_at: float | None, ends_at: float | None, now: float) -> None:
    assert token_life(authorization(granted_at, ends_at), now) is None


def test_a_clock_that_is_set_back_stays_in_the_bar() -> None:
    life = token_life(authorization(), 0.0)
    assert life is not None
    assert "0 % have passed" in str(life.drawing)
