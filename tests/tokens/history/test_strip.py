"""A day in half hours."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.tokens.history.counts import Counts, HistoryError
from airflow_oauth_provider.tokens.history.strip import DAY_SLOTS, SIZE, Period, Strip

NOON = 29_000_010  # a minute, the first of a half hour
ONE = Counts(requests=1, granted=1)


def test_a_day_ends_with_the_present_half_hour() -> None:
    strip = Strip.of([(NOON, ONE), (NOON - 30, ONE), (NOON - 31, ONE), (NOON - 47 * 30, ONE)], NOON + 3)
    day = strip.day((NOON + 29) * 60)
    assert len(day) == DAY_SLOTS
    assert day[-1] == Period(1, 1)
    assert day[-2].requests == day[-3].requests == day[0].requests == 1
    assert strip.day((NOON + 30) * 60)[-2:] == (Period(1, 1), Period()), "later, it has moved on"
    assert set(strip.day((NOON + 3000) * 60)) == {Period()}
    assert set(strip.day((NOON - 3000) * 60)) == {Period()}, "a clock that is set back shows nothing"


def test_what_ended_without_a_token_is_told_apart() -> None:
    strip = Strip.of([(NOON, Counts(refused=1, failed=2, cool_downs=3, from_store=4))], NOON)
    assert strip.day(NOON * 60)[-1] == Period(tokens=4, refused=1, failed=5)


def test_it_comes_back() -> None:
    strip = Strip.of([(NOON, Counts(from_memory=2**40)), (NOON - 60, ONE)], NOON)
    data = strip.dump()
    assert len(data) == SIZE
    assert Strip.load(data).periods[-1].tokens == 2**32 - 1
    assert Strip.load(data).periods[:-1] == strip.periods[:-1]
    with pytest.raises(HistoryError):
        Strip.load(data[1:])
