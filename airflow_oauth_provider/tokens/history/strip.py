"""The last day in half hours: little enough to be read for each row of a list."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from airflow_oauth_provider.tokens.history.counts import Counts, HistoryError

SLOT_MINUTES = 30
DAY_SLOTS = 48
_KEPT = DAY_SLOTS + 1
_NUMBERS = 4
_FORM = struct.Struct(f">I{_KEPT * _NUMBERS}I")
SIZE = _FORM.size
_MOST = 2**32 - 1


class Period(NamedTuple):
    """A span of time: tokens that callers were given, token requests, and searches without a token."""

    tokens: int = 0
    requests: int = 0
    refused: int = 0
    failed: int = 0

    def plus(self, counts: Counts) -> Period:
        """Return it with these, too."""
        return Period(
            self.tokens + counts.tokens,
            self.requests + counts.requests,
            self.refused + counts.refused,
            self.failed + counts.failed + counts.cool_downs,
        )


_EMPTY = Period()


class Strip(NamedTuple):
    """Half hours up to *last* (since the epoch)."""

    last: int
    periods: tuple[Period, ...]

    @classmethod
    def of(cls, buckets: Iterable[tuple[int, Counts]], last_minute: int) -> Strip:
        """Sum up buckets.

        :param buckets: the minute in which each begins.
        """
        last = last_minute // SLOT_MINUTES
        periods = [_EMPTY] * _KEPT
        for minute, counts in buckets:
            index = minute // SLOT_MINUTES - last + _KEPT - 1
            if 0 <= index < _KEPT:
                periods[index] = periods[index].plus(counts)
        return cls(last, tuple(periods))

    def day(self, now: float) -> tuple[Period, ...]:
        """Return the 48 half hours that end with the present one.

        :param now: seconds since the epoch.
        """
        first = int(now // 60) // SLOT_MINUTES - DAY_SLOTS + 1 - self.last + _KEPT - 1
        indexes = range(first, first + DAY_SLOTS)
        return tuple(self.periods[index] if 0 <= index < _KEPT else _EMPTY for index in indexes)

    def dump(self) -> bytes:
        """Write it."""
        return _FORM.pack(self.last, *(min(number, _MOST) for period in self.periods for number in period))

    @classmethod
    def load(cls, data: bytes) -> Strip:
        """Read it.

        :raises HistoryError: when it is not what was written.
        """
        if len(data) != SIZE:
            raise HistoryError("it is no strip")
        return _loaded(data)


@lru_cache(512)
def _loaded(data: bytes) -> Strip:
    """Read one; a list that is looked at again shows mostly what it has shown before."""
    last, *numbers = _FORM.unpack(data)
    periods = zip(*(iter(numbers),) * _NUMBERS, strict=True)
    return Strip(last, tuple(map(Period._make, periods)))
