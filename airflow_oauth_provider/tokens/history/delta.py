"""What one process has seen of a connection since it last said so.

At most 160 bytes, which are 256 once they are sealed and lie in a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from airflow_oauth_provider.tokens.history.counts import NOTHING, Counts, HistoryError, Reader
from airflow_oauth_provider.tokens.history.task_names import LONGEST_NAME
from airflow_oauth_provider.tokens.sealing import OVERHEAD
from airflow_oauth_provider.tokens.stores.base import MAX_APPENDED

LONGEST = MAX_APPENDED - OVERHEAD
_VERSION = 1
_LATEST = 2**32 - 1


class Delta(NamedTuple):
    """The outcomes of about a minute.

    :param minute: in which it began, since the epoch, by the clock of who wrote it.
    :param tasks: that were running, as :func:`dumped_task` writes them.
    """

    minute: int
    counts: Counts
    tasks: tuple[bytes, ...] = ()

    def dump(self) -> bytes:
        """Write it."""
        tasks = b"".join(bytes([len(task)]) + task for task in self.tasks)
        minute = min(max(self.minute, 0), _LATEST)
        return bytes([_VERSION]) + minute.to_bytes(4, "big") + self.counts.dump() + tasks

    @classmethod
    def load(cls, data: bytes) -> Delta:
        """Read it.

        :raises HistoryError: when it is not what was written, or another version wrote it.
        """
        reader = Reader(data)
        if reader.bytes(1)[0] != _VERSION:
            raise HistoryError("it is of another version")
        minute, counts, tasks = int.from_bytes(reader.bytes(4), "big"), Counts.load(reader), []
        while not reader.ended:
            length = reader.bytes(1)[0]
            if length > LONGEST_NAME:
                raise HistoryError("it names no task")
            tasks.append(reader.bytes(length))
        return cls(minute, counts, tuple(tasks))


def deltas(minute: int, counts: Counts, tasks: Iterable[bytes]) -> list[Delta]:
    """Divide what was seen so that each delta is short enough; the first has all the counts."""
    divided = [Delta(minute, counts)]
    left = LONGEST - len(divided[0].dump())
    for task in tasks:
        if left < len(task) + 1:
            divided.append(Delta(minute, NOTHING))
            left = LONGEST - len(divided[-1].dump())
        divided[-1] = divided[-1]._replace(tasks=(*divided[-1].tasks, task))
        left -= len(task) + 1
    return divided
