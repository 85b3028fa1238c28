"""The history of a connection as SVG that stands in the page: no script, no style of its own, no other file.

Rules:

* It is read without colour: what worked stands above a line, what did not hangs below it, and a refusal
  hangs lower than a failure that may pass. Heights tell orders of magnitude.
* A sentence says the same; it is the drawing's name for who does not see it, and its tooltip.
* Only numbers and words of this module enter the markup: nothing of it needs escaping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log10
from typing import Any, NamedTuple

from markupsafe import Markup

from airflow_oauth_provider.authorizations.history import History, MergeAllowance, Period, Timeline
from airflow_oauth_provider.tokens.history.counts import Counts

DAY, WEEK = 86_400.0, 7 * 86_400.0
_HOUR = 3_600.0


class Outline(NamedTuple):
    """Where things lie in a drawing, in its own units.

    :param step: width of one column; the bar in it leaves *gap* free.
    :param above: height over the line, *below* under it.
    """

    step: float
    gap: float
    above: int
    below: int

    @property
    def height(self) -> int:
        """Height of it all."""
        return self.above + self.below + 1


STRIP = Outline(step=2, gap=0.5, above=12, below=7)
_TALL = 60, 26


def day_strip(history: History | None, allowance: MergeAllowance) -> Markup:
    """Draw the last day of a row; nothing where nothing is known."""
    periods = history.day(allowance) if history else None
    return Markup() if periods is None else _strip(periods)


@lru_cache(2048)
def _strip(periods: tuple[Period, ...]) -> Markup:
    return _svg("day", STRIP, periods, f"Last 24 hours: {_sentence(periods)}", grid=12)


def _sentence(periods: Sequence[Period]) -> str:
    tokens, requests, refused, failed = (sum(column) for column in zip(*periods, strict=True))
    if not tokens + requests + refused + failed:
        return "not used."
    troubles = [
        text for count, text in ((refused, f"{refused:,} refused"), (failed, f"{failed:,} failed")) if count
    ]
    outcome = ", ".join(troubles) if troubles else "nothing refused or failed"
    return f"{_many(tokens, 'token')} served, {_many(requests, 'token request')}; {outcome}."


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _svg(kind: str, outline: Outline, periods: Sequence[Period], sentence: str, *, grid: int) -> Markup:
    """Draw columns.

    :param kind: class of it.
    :param grid: columns between two marks on the line.
    """
    width = outline.step * len(periods)
    line, wide = outline.above + 0.5, outline.step - outline.gap
    marks = "".join(f"M{outline.step * at:g} {line:g}v3" for at in range(0, len(periods) + 1, grid))
    bars = "".join(
        f'<path class="{name}" stroke-width="{wide:g}" d="{path}"/>'
        for name, path in _paths(outline, periods)
        if path
    )
    return Markup(  # noqa: S704  (numbers, and words of this module)
        f'<svg class="history {kind}" viewBox="0 0 {width:g} {outline.height}" role="img" '
        f'preserveAspectRatio="none" focusable="false"><title>{sentence}</title>'
        f'<path class="axis" d="M0 {line:g}h{width:g}{marks}"/>{bars}</svg>'
    )


def _paths(outline: Outline, periods: Sequence[Period]) -> Iterator[tuple[str, str]]:
    """Yield for each class of the style sheet what it strokes."""
    top, bottom, short = outline.above, outline.above + 1, outline.below // 2
    most = max((period.tokens for period in periods), default=0)
    heights = [_height(period.tokens, most, outline.above) for period in periods]
    yield "ok", _bars(outline, ((at, top - height, height) for at, height in enumerate(heights) if height))
    yield (
        "failed",
        _bars(outline, ((at, bottom, short) for at, period in enumerate(periods) if period.failed)),
    )
    refused = ((at, bottom, outline.below) for at, period in enumerate(periods) if period.refused)
    yield "refused", _bars(outline, refused)


def _bars(outline: Outline, bars: Iterable[tuple[int, int, int]]) -> str:
    """Return strokes as wide as a bar, from their upper ends: half as long as what would be filled."""
    half = outline.step / 2
    return "".join(f"M{outline.step * at + half:g} {y}v{height}" for at, y, height in bars)


def _height(count: int, most: int, space: int) -> int:
    """Return the height of a bar: the largest takes all the space, and one is seen well."""
    if not count:
        return 0
    least = max(2, space // 5)
    return space if count >= most else round(least + (space - least) * log10(count) / max(log10(most), 1e-9))


@dataclass(frozen=True)
class Chart:
    """A drawing of a time that ends now, with its text.

    :param label: what time it is.
    :param ticks: words below it, evenly spaced.
    """

    label: str
    drawing: Markup
    ticks: tuple[str, ...]


def charts(timeline: Timeline, now: float, days: int) -> tuple[Chart, ...]:
    """Draw the last day by quarters of an hour, and the last week by hours.

    :param days: for which a history is kept.
    """
    drawn = [_chart(timeline, now, DAY, 900.0, 24, ("24 h ago", "18 h", "12 h", "6 h", "now"))]
    if days > 1:
        ticks = ("7 days ago", *(f"{day} d" for day in range(6, 0, -1)), "now")
        drawn.append(_chart(timeline, now, WEEK, _HOUR, 24, ticks))
    return tuple(drawn)


def _chart(
    timeline: Timeline, now: float, span: float, width: float, grid: int, ticks: tuple[str, ...]
) -> Chart:
    columns = round(span / width)
    end = (now // width + 1) * width
    periods = [Period()] * columns
    for bucket, counts in timeline.between(end - span, end):
        at = int((bucket.minute * 60 - end + span) // width)
        periods[at] = periods[at].plus(counts)
    label = "Last 24 hours" if span == DAY else "Last 7 days"
    outline = Outline(step=720 / columns, gap=240 / columns, above=_TALL[0], below=_TALL[1])
    name = "of-day" if span == DAY else "of-week"
    return Chart(label, _svg(name, outline, periods, f"{label}: {_sentence(periods)}", grid=grid), ticks)


def table(timeline: Timeline, now: float, days: int) -> list[tuple[str, Counts]]:
    """Return the totals of each day, counted back from now."""
    rows = []
    for day in range(min(days, 7)):
        label = "Last 24 hours" if day == 0 else f"{day * 24} to {day * 24 + 24} h ago"
        rows.append((label, timeline.total(now - (day + 1) * DAY, now - day * DAY + 1)))
    return rows


def values(history: History | None, now: float) -> dict[str, Any] | None:
    """Return what the card of the history shows; ``None`` where none is kept."""
    timeline = history.timeline() if history else None
    if history is None or timeline is None:
        return None
    rows = table(timeline, now, history.days)
    return {
        "charts": charts(timeline, now, history.days),
        "rows": rows,
        "used": timeline.used,
        "shared": history.shared,
        "days": history.days,
    }
