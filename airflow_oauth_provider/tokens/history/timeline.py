"""All that is kept of a connection: minutes for a day, quarters of an hour for a week, hours before.

Rules:

* What is too old is measured from the newest bucket, never from a clock that is ahead of it: a clock that
  jumps can neither empty the history nor make it coarse.
* A delta goes into the bucket of its own minute. One from the future waits there until its time has come;
  one from further ahead than a day is nobody's.
* What does not fit goes, the oldest first.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import accumulate
from operator import add
from typing import NamedTuple

from airflow_oauth_provider.tokens.history.counts import NOTHING, Counts, HistoryError, Reader, dumped_number
from airflow_oauth_provider.tokens.history.delta import Delta
from airflow_oauth_provider.tokens.history.strip import SIZE, SLOT_MINUTES, Strip
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
_ALL_WIDTHS = frozenset({1, 15, _WIDEST})
_VERSION = b"\x01"
_DIGEST = 16
_LARGEST_BODY = 1024 * 1024
_TENTH = 10
_ROW = struct.Struct(f"<{len(Counts._fields)}I")
_MOST = 2**32 - 1
_LAST_MINUTE = 2**31
"""Later than any clock says, and a time that calendars know."""
_KEY = 64
"""A bucket is known by its minute, times this, and its width: a number costs Python less than a tuple."""


class Bucket(NamedTuple):
    """A time, by the minute (since the epoch) in which it begins and its width in minutes."""

    minute: int
    width: int


class Timeline:
    """The history of one connection.

    ``tasks`` are the minutes of their last use; ``last_batch`` is the digest of what was merged last.
    """

    def __init__(self) -> None:
        # Packed: thousands of objects for each row of a list would keep Python's garbage collector busy.
        self._rows: dict[int, bytes] = {}
        self.tasks: dict[bytes, int] = {}
        self.last_batch = bytes(_DIGEST)

    @property
    def used(self) -> bool:
        """Whether anything was counted."""
        return bool(self._rows)

    @property
    def buckets(self) -> dict[Bucket, Counts]:
        """All that was counted, by time."""
        return dict(self.between(float("-inf"), float("inf")))

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
                self._add(delta.minute, 1, delta.counts)
            for task in delta.tasks:
                self.tasks[task] = max(self.tasks.get(task, 0), delta.minute)
        self._coarsen(self.newest(now), days)

    def newest(self, now: float) -> int:
        """Return the minute from which age is measured."""
        minute = int(now // 60) + TOLERANCE
        used = (key // _KEY for key in self._rows if key < (minute + 1) * _KEY)
        return max(used, default=max(filter(minute.__ge__, self.tasks.values()), default=minute))

    def strip(self, now: float) -> Strip:
        """Return the last day in half hours."""
        last = self.newest(now)
        first = (last - DAY - 2 * SLOT_MINUTES) * _KEY
        by_slot: dict[int, list[tuple[int, ...]]] = {}
        for key, row in self._rows.items():
            if key >= first:
                by_slot.setdefault(key // _KEY // SLOT_MINUTES, []).append(_ROW.unpack(row))
        return Strip.of(((slot * SLOT_MINUTES, _sum(rows)) for slot, rows in by_slot.items()), last)

    def between(self, begin: float, end: float) -> Iterator[tuple[Bucket, Counts]]:
        """Yield the buckets that begin between two times (seconds since the epoch), in order."""
        for key in sorted(key for key in self._rows if begin <= key // _KEY * 60 < end):
            yield Bucket(*divmod(key, _KEY)), Counts._make(_ROW.unpack(self._rows[key]))

    def total(self, begin: float, end: float) -> Counts:
        """Return the sum between two times."""
        rows = [_ROW.unpack(row) for key, row in self._rows.items() if begin <= key // _KEY * 60 < end]
        return _sum(rows) if rows else NOTHING

    def uses(self) -> tuple[TaskUse, ...]:
        """Return the tasks that have used the connection, the latest first."""
        latest_first = sorted(self.tasks.items(), key=lambda item: (-item[1], item[0]))
        uses = []
        for key, minute in latest_first:
            with suppress(HistoryError):
                uses.append(TaskUse.load(key, minute * 60.0))
        return tuple(uses)

    def _add(self, minute: int, width: int, counts: Iterable[int]) -> None:
        key = (minute - minute % width) * _KEY + width
        before = self._rows.get(key)
        if before is not None:
            counts = map(add, _ROW.unpack(before), counts)
        self._rows[key] = _ROW.pack(*(min(number, _MOST) for number in counts))

    def _coarsen(self, newest: int, days: int) -> None:
        oldest, finest = (newest - days * DAY) * _KEY, (newest - DAY) * _KEY
        for key in [key for key in self._rows if key < finest]:
            minute, width = divmod(key, _KEY)
            wider = max(width, _width(newest, minute))
            if key < oldest or wider > width:
                row = self._rows.pop(key)
                if key >= oldest:
                    self._add(minute, wider, _ROW.unpack(row))
        tasks = sorted(self.tasks.items(), key=lambda item: -item[1])
        self.tasks = {task: minute for task, minute in tasks[:MOST_TASKS] if minute * _KEY >= oldest}

    def dump(self, now: float) -> bytes:
        """Write it, without its oldest part where that does not fit."""
        while True:
            head = _VERSION + self.strip(now).dump() + self.last_batch
            data = head + zlib.compress(self._body(), 1)
            if len(data) <= LARGEST:
                return data
            self._shrink()

    def _shrink(self) -> None:
        for key in sorted(self._rows)[: len(self._rows) // _TENTH + 1]:
            del self._rows[key]
        tasks = sorted(self.tasks, key=self.tasks.__getitem__)
        for task in tasks[: len(tasks) // _TENTH + 1]:
            del self.tasks[task]

    def _body(self) -> bytes:
        keys = sorted(self._rows)
        steps = (key - before for key, before in zip(keys, (0, *keys), strict=False))
        tasks = (dumped_number(minute) + bytes([len(task)]) + task for task, minute in self.tasks.items())
        head = struct.pack(f"<I{len(keys)}Q", len(keys), *steps)
        return b"".join((head, *map(self._rows.__getitem__, keys), *tasks))

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
        body = _inflated(data[head + _DIGEST :])
        timeline._read_tasks(Reader(body[timeline._read_rows(body) :]))
        return timeline

    def _read_rows(self, body: bytes) -> int:
        """Read the buckets, and return where the tasks begin."""
        try:
            (count,) = struct.unpack_from("<I", body)
            begin = 4 + 8 * min(count, len(body))
            keys = list(accumulate(struct.unpack(f"<{count}Q", body[4:begin])))
        except (struct.error, MemoryError):
            keys, count, begin = [], 1, len(body)
        end: int = begin + count * _ROW.size
        latest = max(keys, default=0) // _KEY
        if end > len(body) or latest > _LAST_MINUTE or not {key % _KEY for key in keys} <= _ALL_WIDTHS:
            raise HistoryError("its buckets are not what was written")
        self._rows = {
            key: body[at : at + _ROW.size] for key, at in zip(keys, range(begin, end, _ROW.size), strict=True)
        }
        return end

    def _read_tasks(self, reader: Reader) -> None:
        while not reader.ended:
            at, length = reader.number(), reader.bytes(1)[0]
            if length > LONGEST_NAME or at > _LAST_MINUTE:
                raise HistoryError("it names no task, or no time")
            self.tasks[reader.bytes(length)] = at


def _sum(rows: Iterable[tuple[int, ...]]) -> Counts:
    return Counts(*map(sum, zip(*rows, strict=True)))


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
