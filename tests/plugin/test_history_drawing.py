"""Drawings of the history: bounded, of numbers only, and readable by whoever does not see them."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET

import pytest
from markupsafe import Markup

from airflow_oauth_provider.authorizations.history import History, MergeAllowance, Period, Timeline
from airflow_oauth_provider.plugin.history_drawing import DAY, charts, day_strip, table, values
from airflow_oauth_provider.tokens.history.counts import Counts
from airflow_oauth_provider.tokens.history.delta import Delta
from airflow_oauth_provider.tokens.history.journal import Journal
from airflow_oauth_provider.tokens.history.task_names import dumped_task
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from tests.support.builders import settings

NOW = 29_000_160 * 60.0
BAD = Counts(requests=4, refused=1, failed=2, cool_downs=3)


def timeline(*deltas: tuple[int, Counts], days: int = 7) -> Timeline:
    made = Timeline()
    made.merge((Delta(int(NOW // 60) - ago, counts) for ago, counts in deltas), now=NOW, days=days)
    return made


def parsed(drawing: Markup) -> ET.Element:
    """Read it as XML, and hold it to what the page's policy allows."""
    text = str(drawing)
    assert not re.search(r"style=|<style|href|url\(|on\w+=|<script|data:", text)
    root = ET.fromstring(text)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    return root


def title(drawing: Markup) -> str:
    return parsed(drawing).findtext("title") or ""


def bars(drawing: Markup, name: str) -> list[tuple[float, float, float]]:
    """Return where the bars of a class begin (their middle, and the upper end), and their height."""
    paths = [path.get("d", "") for path in parsed(drawing) if path.get("class") == name]
    found = re.findall(r"M([\d.]+) ([\d.]+)v([\d.]+)", "".join(paths))
    return [tuple(map(float, numbers)) for numbers in found]  # type: ignore[misc]


@pytest.fixture
def sharing() -> Sharing:
    return Sharing(MemoryStore(), history_days=7)


@pytest.fixture
def history(sharing: Sharing) -> History:
    return History("orders", settings(), sharing)


def append(sharing: Sharing, *deltas: tuple[int, Counts]) -> None:
    minute = int(time.time() // 60)
    task = dumped_task("<script>alert(1)</script>", "'\"><b>")
    Journal("orders", settings(), sharing).append(
        Delta(minute - ago, counts, (task,)) for ago, counts in deltas
    )


class TestStrip:
    """The last day in a row of the list."""

    def test_nothing_where_nothing_is_known(self, history: History) -> None:
        assert day_strip(history, MergeAllowance()) == ""
        assert day_strip(None, MergeAllowance()) == ""

    def test_what_worked_stands_and_what_did_not_hangs(self, history: History, sharing: Sharing) -> None:
        append(
            sharing, (0, Counts(granted=1, requests=1, from_store=999)), (120, BAD), (240, Counts(failed=1))
        )
        drawing = day_strip(history, MergeAllowance())
        ok, refused, failed = (bars(drawing, name) for name in ("ok", "refused", "failed"))
        assert [y + height for _, y, height in ok] == [12]
        assert {y for _, y, _ in refused + failed} == {13}
        assert len(refused) == 1
        assert len(failed) == 2
        assert refused[0][2] > failed[0][2], "told apart without colour"
        assert ok[0][0] > refused[0][0] > min(failed)[0], "the latest is at the end"
        assert title(drawing) == (
            "Last 24 hours: 1,000 tokens served, 5 token requests; 1 refused, 6 failed."
        )

    def test_a_day_without_use_says_so(self, history: History, sharing: Sharing) -> None:
        append(sharing, (2000, Counts(granted=1)))
        assert title(day_strip(history, MergeAllowance())) == "Last 24 hours: not used."

    def test_it_is_small(self, history: History, sharing: Sharing) -> None:
        append(sharing, *((30 * slot, BAD._replace(from_memory=7**slot % 10**6)) for slot in range(48)))
        assert len(day_strip(history, MergeAllowance())) < 1_800

    def test_a_list_without_time_left_shows_what_was_merged_before(
        self, history: History, sharing: Sharing
    ) -> None:
        append(sharing, (0, Counts(granted=1)))
        before = day_strip(history, MergeAllowance())
        append(sharing, (0, Counts(granted=1)))
        assert day_strip(history, MergeAllowance(0)) == before
        assert "2 tokens" in title(day_strip(history, MergeAllowance()))


def test_a_bar_is_higher_by_orders_of_magnitude() -> None:
    day, _ = charts(
        timeline((0, Counts(granted=1)), (60, Counts(granted=100)), (120, Counts(granted=10_000))), NOW, 7
    )
    heights = [height for _, _, height in bars(day.drawing, "ok")]
    assert heights == [60, 36, 12]


def test_a_chart_of_a_day_and_one_of_a_week() -> None:
    day, week = charts(timeline((0, Counts(granted=1)), (3000, BAD), (9_900, BAD)), NOW, 7)
    assert title(day.drawing) == "Last 24 hours: 1 token served, 0 token requests; nothing refused or failed."
    assert title(week.drawing) == "Last 7 days: 1 token served, 8 token requests; 2 refused, 10 failed."
    assert len(bars(week.drawing, "refused")) == 2
    assert (day.ticks[-1], week.ticks[-1]) == ("now", "now")
    assert len(charts(timeline(), NOW, 1)) == 1, "no week where only a day is kept"


def test_every_bar_lies_in_its_drawing() -> None:
    filled = timeline(*((minute, BAD._replace(granted=1)) for minute in range(0, 7 * 1440, 7)))
    for chart in charts(filled, NOW, 7):
        _, _, width, height = map(float, (parsed(chart.drawing).get("viewBox") or "").split())
        for name in ("ok", "failed", "refused"):
            for x, y, high in bars(chart.drawing, name):
                assert 0 <= x < width
                assert 0 <= y < y + high <= height


def test_a_clock_that_jumps_draws_nothing_outside() -> None:
    ahead = timeline((-600, Counts(granted=1)), (0, Counts(granted=1)))
    assert len(bars(charts(ahead, NOW, 7)[0].drawing, "ok")) == 1
    assert charts(ahead, NOW - 365 * DAY, 7)


def test_the_table_counts_each_day_once() -> None:
    rows = table(timeline((0, BAD), (1439, BAD), (3000, BAD), (9_000, BAD)), NOW, 7)
    assert [(label, counts.refused) for label, counts in rows] == [
        ("Last 24 hours", 2),
        ("24 to 48 h ago", 0),
        ("48 to 72 h ago", 1),
        ("72 to 96 h ago", 0),
        ("96 to 120 h ago", 0),
        ("120 to 144 h ago", 0),
        ("144 to 168 h ago", 1),
    ]
    assert len(table(timeline(), NOW, 3)) == 3


def test_what_the_card_shows(history: History, sharing: Sharing) -> None:
    shown = values(history, time.time())
    assert shown is not None
    assert not shown["used"]
    append(sharing, (0, Counts(granted=1)))
    shown = values(history, time.time())
    assert shown is not None
    assert shown["used"]
    assert shown["shared"]
    assert values(History("orders", settings(), Sharing(MemoryStore())), time.time()) is None
    assert values(None, time.time()) is None


def test_a_slot_without_anything_draws_nothing() -> None:
    assert Period() == (0, 0, 0, 0)
    assert 'class="ok"' not in str(charts(timeline(), NOW, 7)[0].drawing)
