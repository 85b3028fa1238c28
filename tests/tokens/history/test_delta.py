"""Deltas are short, whatever they say."""

from __future__ import annotations

import base64

import pytest

from airflow_oauth_provider.tokens.history.counts import MOST, NOTHING, Counts, HistoryError
from airflow_oauth_provider.tokens.history.delta import Delta, deltas
from airflow_oauth_provider.tokens.history.task_names import dumped_task
from airflow_oauth_provider.tokens.sealing import OVERHEAD

TASKS = [dumped_task(f"{'dag' * 40}{number}", f"{'task' * 40}{number}") for number in range(9)]
MOST_OF_ALL = Counts(*[MOST] * 12)


@pytest.mark.parametrize(
    "tasks", [[], TASKS[:1], TASKS, [dumped_task("d", f"t{number}") for number in range(99)]]
)
def test_each_delta_lies_in_256_bytes(tasks: list[bytes]) -> None:
    divided = deltas(29_000_000, MOST_OF_ALL, tasks)
    lines = [base64.b64encode(bytes(len(delta.dump()) + OVERHEAD)) + b"\n" for delta in divided]
    assert max(map(len, lines)) <= 256
    assert [task for delta in divided for task in delta.tasks] == tasks
    assert [delta.counts for delta in divided] == [MOST_OF_ALL] + [NOTHING] * (len(divided) - 1)
    assert [Delta.load(delta.dump()) for delta in divided] == divided


def test_one_task_fits_beside_all_counts() -> None:
    assert len(deltas(0, MOST_OF_ALL, TASKS[:1])) == 1


@pytest.mark.parametrize("minute", [-5, 0, 2**32 - 1, 2**40])
def test_a_minute_of_a_broken_clock_is_written_all_the_same(minute: int) -> None:
    assert Delta.load(Delta(minute, NOTHING).dump()).minute == min(max(minute, 0), 2**32 - 1)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x02", b"\x01\0\0", b"\x01\0\0\0\1\0\1", b"\x01\0\0\0\1\0\0\xff", b"\x01\0\0\0\1\0\0\x05ab"],
)
def test_what_is_no_delta_is_refused(data: bytes) -> None:
    with pytest.raises(HistoryError):
        Delta.load(data)
