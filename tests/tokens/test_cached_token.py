"""One token in memory, and clocks that misbehave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.cached_token import Slot
from tests.support.builders import NOW

TOKEN = AccessToken("tok-1", "Bearer", NOW + 3600, NOW)


class Clocks:
    """Two clocks set by hand: the wall's, and the one that counts what has passed."""

    def __init__(self) -> None:
        self.wall = NOW
        self.elapsed = 5000.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr("airflow_oauth_provider.tokens.cached_token.time.time", lambda: clocks.wall)
    monkeypatch.setattr("airflow_oauth_provider.tokens.cached_token.elapsed_clock", lambda: clocks.elapsed)
    return clocks


@pytest.fixture
def slot(clocks: Clocks) -> Slot:
    slot = Slot("key")
    slot.put(TOKEN)
    return slot


def test_good_until_the_mandatory_margin(slot: Slot, clocks: Clocks) -> None:
    assert slot.current() is TOKEN
    clocks.pass_(3539)
    assert slot.current() is TOKEN
    clocks.pass_(1)
    assert slot.current() is None


@pytest.mark.fault("K01")
def test_issued_by_a_clock_that_was_ahead(clocks: Clocks) -> None:
    clocks.wall += 600
    slot = Slot("key")
    slot.put(replace(TOKEN, issued_at=NOW + 600, expires_at=NOW + 4200))
    assert slot.current() is not None
    clocks.wall -= 600
    assert slot.current() is None, "its expiry was counted on a clock that was wrong"


@pytest.mark.fault("K02")
def test_a_clock_set_back_keeps_nothing_alive(slot: Slot, clocks: Clocks) -> None:
    clocks.wall -= 200
    clocks.pass_(3541)
    assert slot.current() is None, "3,541 s have passed, whatever the wall clock says"


@pytest.mark.fault("K03")
def test_a_clock_set_forward_ends_it(slot: Slot, clocks: Clocks) -> None:
    clocks.wall += 7200
    assert slot.current() is None


@pytest.mark.fault("K04")
def test_a_suspended_machine(slot: Slot, clocks: Clocks) -> None:
    clocks.wall += 3 * 3600  # the elapsed clock of some systems stands still meanwhile
    assert slot.current() is None


@pytest.mark.fault("P51")
def test_an_older_token_does_not_replace_a_newer(slot: Slot) -> None:
    slot.put(replace(TOKEN, value="older", issued_at=NOW - 10))
    assert slot.current() is TOKEN
    newer = replace(TOKEN, value="newer", issued_at=NOW + 1)
    slot.put(newer)
    assert slot.current() is newer


@pytest.mark.fault("P51")
def test_only_the_refused_token_is_dropped(slot: Slot) -> None:
    slot.refuse(replace(TOKEN, value="another"))
    assert slot.current() is TOKEN
    slot.refuse(replace(TOKEN))
    assert slot.current() is None


@pytest.mark.parametrize("lifetime", [0, -5], ids=["0[T18]", "past"])
def test_what_is_good_for_one_call_only_is_not_kept(clocks: Clocks, lifetime: float) -> None:
    slot = Slot("key")
    slot.put(replace(TOKEN, expires_at=NOW + lifetime))
    assert slot.current() is None


@pytest.mark.fault("F81")
def test_an_older_token_that_is_refused_later_makes_none_in_between_good() -> None:
    slot = Slot("key")
    for value, issued_at in (("newer", NOW), ("older", NOW - 100)):
        slot.refuse(AccessToken(value, "Bearer", NOW + 3600, issued_at))
    assert not slot.accepts(AccessToken("in-between", "Bearer", NOW + 3600, NOW - 50))
    assert slot.accepts(AccessToken("newest", "Bearer", NOW + 3600, NOW + 1))
