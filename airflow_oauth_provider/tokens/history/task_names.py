"""Which task has used a connection, small enough for a delta."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from airflow_oauth_provider.tokens.history.counts import HistoryError
from airflow_oauth_provider.tokens.record_values import text

LONGEST_NAME = 98
"""Bytes of one task in a delta."""
_WHOLE, _CUT = b"\x00", b"\x01"
_DIGEST = 8
_PART = (LONGEST_NAME - len(_CUT) - _DIGEST - 1) // 2


def dumped_task(dag_id: str, task_id: str) -> bytes:
    """Write the ids; of long ones a digest, and their beginnings."""
    whole = _joined(dag_id, task_id)
    if len(whole) < LONGEST_NAME:
        return _WHOLE + whole
    parts = (_joined(part)[:_PART] for part in (dag_id, task_id))
    return _CUT + hashlib.sha256(whole).digest()[:_DIGEST] + b"\0".join(parts)


def _joined(*ids: str) -> bytes:
    return b"\0".join(part.replace("\0", "").encode(errors="replace") for part in ids)


@dataclass(frozen=True)
class TaskUse:
    """A task that has used the connection.

    :param dag_id: cleaned for displays, and cut where *whole* is false; *task_id* likewise.
    :param last_at: when it did so last (seconds since the epoch, to the minute).
    :param key: as it was written.
    """

    dag_id: str
    task_id: str
    last_at: float
    key: bytes
    whole: bool = True

    @classmethod
    def load(cls, key: bytes, last_at: float) -> TaskUse:
        """Read it.

        :raises HistoryError: when it is not what was written.
        """
        kind, names = key[:1], key[1:]
        if kind == _CUT:
            names = names[_DIGEST:]
        dag_id, between, task_id = names.partition(b"\0")
        if kind not in {_WHOLE, _CUT} or len(key) > LONGEST_NAME or not between or b"\0" in task_id:
            raise HistoryError("it is no task")
        whole = kind == _WHOLE
        return cls(_shown(dag_id, whole=whole), _shown(task_id, whole=whole), last_at, key, whole)


def _shown(part: bytes, *, whole: bool) -> str:
    cut = not whole and len(part) == _PART
    return text(part.decode(errors="ignore" if cut else "replace")) + ("…" if cut else "")
