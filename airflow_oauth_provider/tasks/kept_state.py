"""What a task keeps while it is deferred, where Airflow does not.

Airflow hands a task back what it has kept, beside the event. ``dag.test()`` and ``airflow dags test`` hand it
the event alone. They run all of a task in one process, which can remember. On a worker each part of a task
is a process of its own, and Airflow keeps the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_kept: dict[Any, Any] = {}


def keep(context: Mapping[str, Any], state: Any) -> None:
    """Keep the state of a task that is about to leave the worker."""
    task_instance = _task_instance(context)
    if task_instance is not None:
        _kept[task_instance] = state


def kept_state(context: Mapping[str, Any], given: Any) -> Any:
    """Return the state of a task that comes back.

    :param given: by Airflow; ``None`` where it has kept none.
    """
    state = _kept.pop(_task_instance(context), None)
    return state if given is None else given


def _task_instance(context: Mapping[str, Any]) -> Any:
    return getattr(context.get("ti"), "id", None)
