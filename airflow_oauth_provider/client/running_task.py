"""Which task runs here: for the history of the connections that it uses.

Airflow names the task in the environment of its process. A triggerer runs many at once, and each trigger
says itself whose it is.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import Any

from airflow_oauth_provider.tokens.history.task_names import dumped_task

_of_trigger: ContextVar[tuple[str, str] | None] = ContextVar("oauth2_task_of_trigger", default=None)
_has_triggers = False


def in_triggerer() -> bool:
    """Whether triggers run in this process."""
    return _has_triggers


def run_for(task_instance: Any) -> None:
    """Say in a trigger, for its coroutine, whose task it is.

    :param task_instance: as Airflow gives it to the trigger; ``None`` for one of no task.
    """
    global _has_triggers  # noqa: PLW0603  (once true, it stays so)
    _has_triggers = True
    ids = (getattr(task_instance, name, None) for name in ("dag_id", "task_id"))
    dag_id, task_id = (value if isinstance(value, str) else "" for value in ids)
    _of_trigger.set((dag_id, task_id) if dag_id and task_id else None)


def running_task() -> bytes | None:
    """Return the task as the history writes it; ``None`` outside of tasks."""
    of_trigger = _of_trigger.get()
    if of_trigger is not None:
        return dumped_task(*of_trigger)
    dag_id, task_id = os.environ.get("AIRFLOW_CTX_DAG_ID"), os.environ.get("AIRFLOW_CTX_TASK_ID")
    return dumped_task(dag_id, task_id) if dag_id and task_id else None
