"""Whose task it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_oauth_provider.client.running_task import in_triggerer, run_for, running_task
from airflow_oauth_provider.tokens.history.task_names import dumped_task


def test_a_process_of_a_task_has_it_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CTX_DAG_ID", raising=False)
    assert running_task() is None
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "sales")
    assert running_task() is None
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "load")
    assert running_task() == dumped_task("sales", "load")


@pytest.mark.parametrize("nobody", [None, SimpleNamespace(), SimpleNamespace(dag_id=1, task_id=b"x")])
def test_triggers_of_one_loop_are_told_apart(nobody: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CTX_DAG_ID", raising=False)

    async def trigger(task_instance: Any) -> bytes | None:
        run_for(task_instance)
        await asyncio.sleep(0)
        return running_task()

    async def both() -> list[bytes | None]:
        one = SimpleNamespace(dag_id="sales", task_id="load")
        return list(await asyncio.gather(trigger(one), trigger(nobody)))

    assert asyncio.run(both()) == [dumped_task("sales", "load"), None]
    assert running_task() is None
    assert in_triggerer()
