"""What is kept: bounded, finer the younger, and indifferent to clocks that jump."""

from __future__ import annotations

import os
import random

import pytest

from airflow_oauth_provider.tokens.history.counts import MOST, Counts, HistoryError
from airflow_oauth_provider.tokens.history.delta import Delta
from airflow_oauth_provider.tokens.history.strip import SIZE
from airflow_oauth_provider.tokens.history.task_names import dumped_task
from airflow_oauth_provider.tokens.history.timeline import LARGEST, MOST_TASKS, Bucket, Timeline, strip_of

NOW = 29_000_160  # a minute
DAY = 1440
ONE = Counts(requests=1, granted=1)


def merged(*minutes: int, now: int = NOW, days: int = 7, into: Timeline | None = None) -> Timeline:
    timeline = into or Timeline()
    timeline.merge(
        (Delta(minute, ONE, (dumped_task("dag", str(minute)),)) for minute in minutes),
        now=now * 60.0,
        days=days,
    )
    return timeline


def test_minutes_for_a_day_then_quarters_then_hours() -> None:
    timeline = merged(
        NOW, NOW - 1, NOW - DAY, NOW - DAY - 40, NOW - DAY - 41, NOW - 8 * DAY, NOW - 8 * DAY - 50, days=30
    )
    assert sorted((bucket.width, counts.granted) for bucket, counts in timeline.buckets.items()) == [
        (1, 1),
        (1, 1),
        (1, 1),
        (15, 2),
        (60, 1),
        (60, 1),
    ]
    assert all(bucket.minute % bucket.width == 0 for bucket in timeline.buckets)


def test_a_bucket_becomes_wider_and_loses_nothing() -> None:
    timeline = merged(*range(NOW - 120, NOW))
    for day in range(1, 31):
        merged(NOW + day * DAY, now=NOW + day * DAY, days=60, into=timeline)
        assert timeline.total(0, 1e12).granted == 120 + day
    assert {bucket.width for bucket in timeline.buckets if bucket.minute < NOW} == {60}
    assert len([bucket for bucket in timeline.buckets if bucket.minute < NOW]) <= 3


def test_what_is_older_than_history_days_goes() -> None:
    timeline = merged(NOW - 8 * DAY, NOW - 6 * DAY, NOW)
    assert timeline.total(0, 1e12).granted == 2
    assert len(timeline.uses()) == 2


@pytest.mark.parametrize("jump", [365 * DAY, -365 * DAY])
def test_a_merge_with_a_clock_that_has_jumped_spoils_nothing(jump: int) -> None:
    timeline = merged(NOW - 6 * DAY, *range(NOW - 100, NOW))
    before = dict(timeline.buckets)
    timeline.merge([], now=(NOW + jump) * 60.0, days=7)
    assert timeline.buckets == before
    assert Timeline.load(timeline.dump((NOW + jump) * 60.0)).buckets == before


@pytest.mark.parametrize(("ahead", "kept"), [(-365 * DAY, False), (120, True), (365 * DAY, False)])
def test_a_delta_of_a_clock_that_has_jumped_is_in_no_bucket_but_its_own(ahead: int, kept: bool) -> None:
    timeline = merged(NOW - 6 * DAY, NOW - 5, NOW)
    before = dict(timeline.buckets)
    merged(NOW + ahead, into=timeline)
    assert {bucket: counts for bucket, counts in timeline.buckets.items() if bucket in before} == before
    assert (Bucket(NOW + ahead, 1) in timeline.buckets) is kept


def test_ten_thousand_uses_of_as_many_tasks_stay_bounded() -> None:
    chance = random.Random(1)
    timeline = Timeline()
    for _ in range(10):
        batch = [
            Delta(
                NOW - chance.randrange(90 * DAY),
                Counts(*(chance.randrange(MOST) for _ in range(12))),
                (dumped_task(os.urandom(100).hex(), os.urandom(100).hex()),),
            )
            for _ in range(1000)
        ]
        timeline.merge(batch, now=NOW * 60.0, days=90)
    data = timeline.dump(NOW * 60.0)
    assert len(data) <= LARGEST
    again = Timeline.load(data)
    assert 0 < len(again.tasks) <= MOST_TASKS
    assert max(again.buckets).minute >= NOW - DAY, "the oldest go"


def test_it_comes_back() -> None:
    timeline = merged(NOW, NOW - 3 * DAY, NOW - 9 * DAY, days=20)
    timeline.last_batch = b"x" * 16
    data = timeline.dump(NOW * 60.0)
    again = Timeline.load(data)
    assert (again.buckets, again.tasks, again.last_batch) == (timeline.buckets, timeline.tasks, b"x" * 16)
    assert strip_of(data) == timeline.strip(NOW * 60.0)
    assert strip_of(data).day(NOW * 60.0)[-1].requests == 1


def test_the_latest_use_comes_first() -> None:
    timeline = merged(NOW - 5, NOW, NOW - 9)
    assert [use.task_id for use in timeline.uses()] == [str(NOW), str(NOW - 5), str(NOW - 9)]
    timeline.tasks[b"none"] = NOW
    assert len(timeline.uses()) == 3


def test_buckets_between_two_times_in_order() -> None:
    timeline = merged(NOW - 5, NOW, NOW - 9)
    assert [bucket.minute for bucket, _ in timeline.between((NOW - 9) * 60, NOW * 60)] == [NOW - 9, NOW - 5]


def test_what_was_not_written_so_is_refused() -> None:
    data = merged(NOW).dump(NOW * 60.0)
    for wrong in (
        b"",
        data[:50],
        data[:-3],
        b"\2" + data[1:],
        data[: SIZE + 17] + b"junk",
        data[: SIZE + 17],
    ):
        with pytest.raises(HistoryError):
            Timeline.load(wrong)
    with pytest.raises(HistoryError):
        strip_of(b"\2" + data[1:])


@pytest.mark.fault("F22")
@pytest.mark.parametrize("minute", [2**31 + 60, 2**40])
def test_a_time_that_no_calendar_knows_is_refused(minute: int) -> None:
    """Whoever displays it would fail."""
    counted, used = Timeline(), Timeline()
    counted._add(minute, 60, Counts(requests=1))
    used.tasks[dumped_task("d", "t")] = minute
    for timeline in (counted, used):
        with pytest.raises(HistoryError):
            Timeline.load(timeline.dump(0.0))
