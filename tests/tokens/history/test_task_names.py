"""Tasks, by whatever names."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.tokens.history.counts import HistoryError
from airflow_oauth_provider.tokens.history.task_names import LONGEST_NAME, TaskUse, dumped_task


@pytest.mark.parametrize(
    ("dag_id", "task_id"),
    [("sales", "load"), ("sales.eu-1", "group.load_ä"), ("<b>x</b>", "a'\"&"), ("d" * 48, "t" * 48)],
)
def test_a_name_that_fits_comes_back_whole(dag_id: str, task_id: str) -> None:
    use = TaskUse.load(dumped_task(dag_id, task_id), 60.0)
    assert (use.dag_id, use.task_id, use.last_at, use.whole) == (dag_id, task_id, 60.0, True)
    assert use.key != dumped_task(dag_id, f"{task_id}2")


@pytest.mark.parametrize("letter", ["d", "ä", "€"])
def test_a_long_name_is_cut_and_found_by_the_whole_of_it(letter: str) -> None:
    dag_id, task_id = letter * 250, "t" * 250
    key = dumped_task(dag_id, task_id)
    use = TaskUse.load(key, 0.0)
    assert len(key) <= LONGEST_NAME
    assert not use.whole
    assert use.dag_id.endswith("…")
    assert set(use.dag_id) == {letter, "…"}, "no half characters"
    assert use.key != dumped_task(dag_id, task_id + "x"), "by its digest"


def test_control_characters_are_cleaned() -> None:
    use = TaskUse.load(dumped_task("a\x1b[31mb\nc", "t\0u"), 0.0)
    assert use.dag_id.isprintable()
    assert use.task_id == "tu"


@pytest.mark.parametrize(
    "key", [b"", b"\x00", b"\x00dag", b"\x02a\0b", b"\x00a\0b\0c", b"\x00" + b"a\0" * 60]
)
def test_what_is_no_task_is_refused(key: bytes) -> None:
    with pytest.raises(HistoryError):
        TaskUse.load(key, 0.0)
