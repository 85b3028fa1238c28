"""Which DAGs and tasks use a connection: before it is edited or forgotten, and for who wonders.

*Declared* is what a serialized DAG names (:mod:`declared_uses`), *seen* what tasks have left in the
connection's history (:mod:`history`). Workers append to that and read nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from airflow_oauth_provider.authorizations.clamping import clamp
from airflow_oauth_provider.authorizations.declared_uses import DeclaredUse, declared_uses
from airflow_oauth_provider.authorizations.stored_dags import Schedule, StoredDags
from airflow_oauth_provider.authorizations.times import DAY, iso
from airflow_oauth_provider.tokens.history.task_names import TaskUse, dumped_task

PATIENCE = 3.0
"""Seconds for which a page looks at DAGs."""
LONGEST_TEXT = 120
"""Characters of a template that are shown."""


@dataclass(frozen=True)
class Use:
    """One task that uses a connection, or what else of a DAG does.

    :param task_id: ``None`` for a watcher or the callback of a deadline.
    :param place: what names the connection; ``None`` where no DAG declares it, and its history alone tells.
    :param certain: false where only its run will tell; *text* is then the template, where there is one.
    :param last_at: when the connection was last used there (seconds since the epoch); ``None`` where
        nobody knows of any.
    """

    dag_id: str
    task_id: str | None
    place: str | None
    certain: bool = True
    text: str | None = None
    last_at: float | None = None

    @property
    def how(self) -> str:
        """In a word or two how one knows of it."""
        if self.last_at is not None:
            return "seen" if self.place is None else "declared, seen"
        return "declared" if self.certain else "unknown until it runs"

    @classmethod
    def of(cls, declared: DeclaredUse) -> Use:
        """Take what a DAG declares."""
        text = clamp(declared.text, LONGEST_TEXT) if declared.text else None
        return cls(declared.dag_id, declared.task_id, declared.place, declared.certain, text)

    def report(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "task_id": self.task_id,
            "how": self.how,
            "place": self.place,
            "template": self.text,
            "last_used_at": iso(self.last_at),
        }


NO_SCHEDULE = Schedule()


@dataclass(frozen=True)
class UsingDag:
    """A DAG with what of it uses the connection.

    :param exists: false for one that only the history knows: it was removed, or renamed.
    """

    dag_id: str
    uses: tuple[Use, ...]
    schedule: Schedule = NO_SCHEDULE
    exists: bool = True

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks that use it for certain."""
        return frozenset(use.task_id for use in self.uses if use.certain and use.task_id is not None)

    @property
    def certain(self) -> bool:
        """Whether any of it uses the connection for certain."""
        return self.exists and any(use.certain for use in self.uses)

    def runs_before(self, moment: float) -> bool:
        """Whether it runs now or will have begun to by then."""
        next_run_at = self.schedule.next_run_at
        due = self.schedule.running or (next_run_at is not None and next_run_at <= moment)
        return due and not self.schedule.paused

    def report(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "dag_id": self.dag_id,
            "exists": self.exists,
            "paused": self.schedule.paused,
            "schedule": self.schedule.summary,
            "running": self.schedule.running,
            "next_run_at": iso(self.schedule.next_run_at),
            "uses": [use.report() for use in self.uses],
        }


@dataclass(frozen=True)
class UsedBy:
    """All that uses a connection.

    :param dags: by name, first those that use it for certain.
    :param at: when this was so (seconds since the epoch).
    :param complete: whether all DAGs were looked at.
    :param hidden: ids of DAGs that are counted and not named.
    """

    conn_id: str
    dags: tuple[UsingDag, ...]
    at: float
    complete: bool = True
    hidden: frozenset[str] = frozenset()

    def readable(self, dag_ids: Collection[str]) -> UsedBy:
        """Return it for a person who may read these DAGs: others are counted, and not named."""
        return replace(self, hidden=frozenset(dag.dag_id for dag in self.dags if dag.dag_id not in dag_ids))

    @property
    def named(self) -> tuple[UsingDag, ...]:
        """The DAGs that the person may read."""
        return tuple(dag for dag in self.dags if dag.dag_id not in self.hidden)

    @cached_property
    def users(self) -> tuple[UsingDag, ...]:
        """Those that use it for certain."""
        return tuple(dag for dag in self.dags if dag.certain)

    @property
    def soon(self) -> tuple[UsingDag, ...]:
        """Those that run within a day."""
        return tuple(dag for dag in self.users if dag.runs_before(self.at + DAY))

    @property
    def next_run_at(self) -> float | None:
        """When the next of them begins to run, as far as times are set."""
        runs = (dag.schedule.next_run_at for dag in self.users if not dag.schedule.paused)
        return min((run for run in runs if run is not None), default=None)

    @property
    def last_at(self) -> float | None:
        """When any task is known to have used it last."""
        return max((use.last_at for dag in self.dags for use in dag.uses if use.last_at), default=None)

    @property
    def uncertain(self) -> int:
        """How many more may use it: only their run will tell."""
        return sum(not use.certain for dag in self.dags for use in dag.uses)

    @property
    def summary(self) -> str:
        """All in a sentence or three, which name nobody."""
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        if not self.users:
            yield "No DAG is known to use it."
        else:
            yield f"Used by {_counted(self.users)}."
            soon = self.soon
            if soon:
                verb = "run" if _tasks(soon) != 1 else "runs"
                yield f"In the next 24 hours {_counted(soon)} {verb}."
            else:
                yield "None of them is scheduled for the next 24 hours."
        if self.uncertain:
            verb = "uses" if self.uncertain == 1 else "use"
            yield (
                f"{self.uncertain} more may: which connection {'it' if self.uncertain == 1 else 'they'} "
                f"{verb} is known when {'it runs' if self.uncertain == 1 else 'they run'}."
            )
        if not self.complete:
            yield "Not all DAGs were looked at."

    def report(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "conn_id": self.conn_id,
            "summary": self.summary,
            "dags": len(self.users),
            "tasks": _tasks(self.users),
            "next_24_hours": {"dags": len(self.soon), "tasks": _tasks(self.soon)},
            "next_run_at": iso(self.next_run_at),
            "last_used_at": iso(self.last_at),
            "unknown_until_they_run": self.uncertain,
            "complete": self.complete,
            "hidden_dags": len(self.hidden),
            "used_by": [dag.report() for dag in self.named],
        }


def used_by(
    conn_id: str,
    team: str | None = None,
    *,
    seen: Iterable[TaskUse] = (),
    seconds: float | None = None,
) -> UsedBy:
    """Return what uses a connection, from the metadata database.

    :param seen: the tasks that have used it.
    :param team: that owns the connection, where Airflow says so.
    :param seconds: after which no more DAGs are looked at; ``None`` for all.
    """
    stored = StoredDags(team)
    uses: list[Use] = []
    known = tuple(seen)
    for dag in stored.naming(conn_id, seconds):
        uses += (Use.of(declared) for declared in declared_uses(dag.content, conn_id, dag.callbacks))
    return UsedBy(conn_id, _by_dag(_with_seen(uses, known), stored.schedules), time.time(), stored.complete)


def _with_seen(declared: Iterable[Use], seen: Iterable[TaskUse]) -> Iterator[Use]:
    """Yield what is declared, with its last use, and what was only seen."""
    last = {task.key: task for task in seen}
    for use in declared:
        task = None if use.task_id is None else last.pop(dumped_task(use.dag_id, use.task_id), None)
        if task is not None and use.certain:
            yield replace(use, last_at=task.last_at)
        elif task is not None:  # what only its run could tell, it has told
            yield Use(use.dag_id, use.task_id, None, last_at=task.last_at)
        else:
            yield use
    for task in last.values():
        yield Use(task.dag_id, task.task_id, None, last_at=task.last_at)


def _by_dag(uses: Iterable[Use], schedules: dict[str, Schedule]) -> tuple[UsingDag, ...]:
    by_dag: dict[str, list[Use]] = {}
    for use in uses:
        by_dag.setdefault(use.dag_id, []).append(use)
    dags = [
        UsingDag(
            dag_id,
            tuple(sorted(of_dag, key=_order)),
            schedules.get(dag_id, NO_SCHEDULE),
            exists=dag_id in schedules,
        )
        for dag_id, of_dag in by_dag.items()
    ]
    return tuple(sorted(dags, key=lambda dag: (not dag.certain, dag.dag_id)))


def _order(use: Use) -> tuple[bool, str, str]:
    return not use.certain, use.task_id or "", use.place or ""


def _tasks(dags: Iterable[UsingDag]) -> int:
    return sum(len(dag.tasks) for dag in dags)


def _counted(dags: Collection[UsingDag]) -> str:
    """Return how many they are: ``14 tasks of 5 DAGs``."""
    tasks, others = _tasks(dags), sum(use.task_id is None and use.certain for dag in dags for use in dag.uses)
    parts = [_number(tasks, "task")] if tasks else []
    if others:
        parts.append(_number(others, "watcher or callback", "watchers or callbacks"))
    return f"{' and '.join(parts)} of {_number(len(dags), 'DAG')}"


def _number(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"
