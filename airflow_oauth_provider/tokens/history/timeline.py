"""All that is kept of a connection: minutes for a day, quarters of an hour for a week, hours before.

Rules:

* What is too old is measured from the newest bucket, never from a clock that is ahead of it: a clock that
  jumps can neither empty the history nor make it coarse.
* A delta goes into the bucket of its own minute. One from the future waits there until its time has come;
  one from further ahead than a day is nobody's.
* What does not fit goes, the oldest first.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from airflow_oauth_provider.tokens.history.counts import NOTHING, Counts, HistoryError, Reader, dumped_number
from airflow_oauth_provider.tokens.history.delta import Delta
from airflow_oauth_provider.tokens.history.strip import SIZE, Strip
from airflow_oauth_provider.tokens.history.task_names import LONGEST_NAME, TaskUse
from airflow_oauth_provider.tokens.sealing import OVERHEAD

LARGEST = 64 * 1024 - OVERHEAD
"""Bytes of a timeline before it is sealed."""
MOST_TASKS = 512
DAY = 1440
"""Minutes."""
TOLERANCE = 5
"""Minutes by which clocks of hosts may differ."""
_WIDTHS = ((DAY, 1), (7 * DAY, 15))
"""Minutes of age up to which buckets are that wide."""
_WIDEST = 60
_VERSION = b"\x01"
_DIGEST = 16
_LARGEST_BODY = 512 * 1024
_TENTH = 10


class Bucket(NamedTuple):
    """A time, by the minute (since the epoch) in which it begins and its width in minutes."""

    minute: int
    width: int


class Timeline:
    """The history of one connection.

    ``buckets`` may stand in any order; ``tasks`` are the minutes of their last use; ``last_batch`` is the
    digest of what was merged last.
    """

    def __init__(self) -> None:
        self.buckets: dict[Bucket, Counts] = {}
        self.tasks: dict[bytes, int] = {}
        self.last_batch = bytes(_DIGEST)

    def merge(self, batch: Iterable[Delta], *, now: float, days: int) -> None:
        """Add deltas.

        :param now: seconds since the epoch.
        :param days: for which anything is kept.
        """
        minute = int(now // 60)
        for delta in batch:
            if delta.minute > minute + DAY:
                continue
            if any(delta.counts):
                self._add(Bucket(delta.minute, 1), delta.counts)
            for task in delta.tasks:
                self.tasks[task] = max(self.tasks.get(task, 0), delta.minute)
        self._coarsen(self.newest(now), days)

    def newest(self, now: float) -> int:
        """Return the minute from which age is measured."""
        minute = int(now // 60) + TOLERANCE
        used = (bucket.minute for bucket in self.buckets if bucket.minute <= minute)
        return max(used, default=max(filter(minute.__ge__, self.tasks.values()), default=minute))

    def strip(self, now: float) -> Strip:
        """Return the last day in half hours."""
        return Strip.of(
            ((bucket.minute, counts) for bucket, counts in self.buckets.items()), self.newest(now)
        )

    def between(self, begin: float, end: float) -> Iterator[tuple[Bucket, Counts]]:
        """Yield the buckets that begin between two times (seconds since the epoch), in order."""
        chosen = (bucket for bucket in self.buckets if begin <= bucket.minute * 60 < end)
        return ((bucket, self.buckets[bucket]) for bucket in sorted(chosen))

    def total(self, begin: float, end: float) -> Counts:
        """Return the sum between two times."""
        total = NOTHING
        for _, counts in self.between(begin, end):
            total = total.plus(counts)
        return total

    def uses(self) -> tuple[TaskUse, ...]:
        """Return the tasks that have used the connection, the latest first."""
        latest_first = sorted(self.tasks.items(), key=lambda item: (-item[1], item[0]))
        uses = []
        for key, minute in latest_first:
            with suppress(HistoryError):
                uses.append(TaskUse.load(key, minute * 60.0))
        return tuple(uses)

    def _add(self, bucket: Bucket, counts: Counts) -> None:
        self.buckets[bucket] = self.buckets.get(bucket, NOTHING).plus(counts)

    def _coarsen(self, newest: int, days: int) -> None:
        oldest = newest - days * DAY
        kept = self.buckets
        self.buckets = {}
        for bucket, counts in kept.items():
            if bucket.minute >= oldest:
                width = max(bucket.width, _width(newest, bucket.minute))
                self._add(Bucket(bucket.minute - bucket.minute % width, width), counts)
        tasks = sorted((item for item in self.tasks.items() if item[1] >= oldest), key=lambda item: -item[1])
        self.tasks = dict(tasks[:MOST_TASKS])

    def dump(self, now: float) -> bytes:
        """Write it, without its oldest part where that does not fit."""
        while True:
            head = _VERSION + self.strip(now).dump() + self.last_batch
            data = head + zlib.compress(self._body(), 1)
            if len(data) <= LARGEST:
                return data
            self._shrink()

    def _shrink(self) -> None:
        buckets = sorted(self.buckets)
        for bucket in buckets[: len(buckets) // _TENTH + 1]:
            del self.buckets[bucket]
        tasks = sorted(self.tasks, key=self.tasks.__getitem__)
        for task in tasks[: len(tasks) // _TENTH + 1]:
            del self.tasks[task]

    def _body(self) -> bytes:
        parts = [dumped_number(len(self.buckets))]
        before = 0
        for bucket in sorted(self.buckets):
            parts += (
                dumped_number(bucket.minute - before),
                bytes([bucket.width]),
                self.buckets[bucket].dump(),
            )
            before = bucket.minute
        for task, minute in self.tasks.items():
            parts += (dumped_number(minute), bytes([len(task)]), task)
        return b"".join(parts)

    @classmethod
    def load(cls, data: bytes) -> Timeline:
        """Read it.

        :raises HistoryError: when it is not what was written, or another version wrote it.
        """
        head = len(_VERSION) + SIZE
        if data[: len(_VERSION)] != _VERSION or len(data) < head + _DIGEST:
            raise HistoryError("it is of another version")
        timeline = cls()
        timeline.last_batch = data[head : head + _DIGEST]
        timeline._read(Reader(_inflated(data[head + _DIGEST :])))
        return timeline

    def _read(self, reader: Reader) -> None:
        minute = 0
        for _ in range(reader.number()):
            minute += reader.number()
            width = reader.bytes(1)[0]
            if not 1 <= width <= _WIDEST:
                raise HistoryError("it is no bucket")
            self.buckets[Bucket(minute, width)] = Counts.load(reader)
        while not reader.ended:
            at, length = reader.number(), reader.bytes(1)[0]
            if length > LONGEST_NAME:
                raise HistoryError("it names no task")
            self.tasks[reader.bytes(length)] = at


def strip_of(data: bytes) -> Strip:
    """Return only the strip of a timeline as it was written.

    :raises HistoryError: when it is not what was written, or another version wrote it.
    """
    if data[: len(_VERSION)] != _VERSION:
        raise HistoryError("it is of another version")
    return Strip.load(data[len(_VERSION) : len(_VERSION) + SIZE])


def _width(newest: int, minute: int) -> int:
    """Return how wide a bucket is; a wider one begins where all of it is old enough."""
    for age, width in _WIDTHS:
        if minute >= newest - age:
            return width
        wider = 15 if width == 1 else _WIDEST
        if minute - minute % wider + wider > newest - age:
            return width
    return _WIDEST


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(data, _LARGEST_BODY)
    except zlib.error:
        body = None
    if body is None or not inflater.eof:
        raise HistoryError("it is no timeline")
    return body
