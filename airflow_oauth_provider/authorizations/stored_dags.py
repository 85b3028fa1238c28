"""The DAGs of the metadata database that may use a connection; for the page and the commands.

Imported by neither tasks nor triggers, which have no access to the database. The database itself leaves
out those in whose text neither the connection nor a field of ours stands, and the rest is read some at a
time: a deployment has thousands of DAGs, each as large as a page.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from sqlalchemy import JSON, Column, MetaData, Table, Text, cast, func, inspect, or_, select

from airflow_oauth_provider.authorizations.declared_uses import OURS

AT_ONCE = 100
"""DAGs that are read by one query."""

# Columns of tables, as in ``stored``: models would make SQLAlchemy set up all of Airflow's.
_dag = DagModel.__table__.c
_version = DagVersion.__table__.c
_serialized = SerializedDagModel.__table__.c
_run = DagRun.__table__.c
# From Airflow 3.2 on deadlines lie in a table of their own.
_deadlines = Table(
    "deadline_alert",
    MetaData(),
    Column("serialized_dag_id", _serialized.id.type),  # as Airflow has it: SQLAlchemy 1.4 has no ``Uuid``
    Column("callback_def", JSON()),
)
_teams = Table("dag_bundle_team", MetaData(), Column("dag_bundle_name", Text()), Column("team_name", Text()))


@dataclass(frozen=True)
class Schedule:
    """When a DAG runs next.

    :param summary: its schedule in Airflow's own words.
    :param next_run_at: seconds since the epoch; ``None`` where no time is set.
    :param running: a run of it is under way, or waits to begin.
    """

    paused: bool = False
    summary: str | None = None
    next_run_at: float | None = None
    running: bool = False


@dataclass(frozen=True)
class StoredDag:
    """The newest version of a DAG.

    :param content: what Airflow stores under ``dag``.
    :param callbacks: those of its deadlines that lie elsewhere.
    """

    dag_id: str
    content: Any
    callbacks: tuple[Any, ...] = ()


class StoredDags:
    """The DAGs that exist.

    :param team: that owns the connection: no DAG of another can use it. ``None`` for all DAGs.
    """

    def __init__(self, team: str | None = None) -> None:
        self._team = team
        self.schedules: dict[str, Schedule] = {}
        self.complete = True
        """Whether :meth:`naming` has looked at all of them."""

    def naming(self, conn_id: str, seconds: float | None = None) -> Iterator[StoredDag]:
        """Yield the DAGs that may name a connection, and fill in ``schedules`` of all.

        :param seconds: after which no more are looked at; ``None`` for all.
        """
        until = None if seconds is None else time.monotonic() + seconds
        with create_session(scoped=False) as session:
            rows = self._newest(session)
            callbacks = self._callbacks(session, conn_id)
            for start in range(0, len(rows), AT_ONCE):
                if until is not None and time.monotonic() > until:
                    self.complete = False
                    return
                ids = dict(rows[start : start + AT_ONCE])
                with_callbacks = [key for key in ids if key in callbacks]
                for key, data, compressed in session.execute(_named(conn_id, list(ids), with_callbacks)):
                    content = _content(data, compressed)
                    yield StoredDag(ids[key], content, tuple(callbacks.get(key, ())))

    def _newest(self, session: Any) -> list[tuple[Any, str]]:
        """Return id and DAG id of the newest serialized version of each DAG that still exists."""
        newest = (
            select(_version.dag_id, func.max(_version.version_number).label("number"))
            .join(SerializedDagModel.__table__, _serialized.dag_version_id == _version.id)
            .group_by(_version.dag_id)
            .subquery()
        )
        query = (
            select(
                *(_serialized.id, _dag.dag_id, _dag.is_paused, _dag.timetable_summary),
                _dag.next_dagrun_create_after,
            )
            .join(DagVersion.__table__, _serialized.dag_version_id == _version.id)
            .join(newest, (newest.c.dag_id == _version.dag_id) & (newest.c.number == _version.version_number))
            .join(DagModel.__table__, _dag.dag_id == _version.dag_id)
            .where(_dag.is_stale.is_(False))
            .order_by(_dag.dag_id)
        )
        if self._team is not None:
            bundles = select(_teams.c.dag_bundle_name).where(_teams.c.team_name == self._team)
            query = query.where(_dag.bundle_name.in_(bundles))
        rows = session.execute(query).all()
        running = set(
            session.scalars(select(_run.dag_id).where(_run.state.in_(("running", "queued"))).distinct())
        )
        self.schedules = {
            dag_id: Schedule(bool(paused), summary, _seconds(next_run), dag_id in running)
            for _, dag_id, paused, summary, next_run in rows
        }
        return [(key, dag_id) for key, dag_id, *_ in rows]

    @staticmethod
    def _callbacks(session: Any, conn_id: str) -> dict[Any, list[Any]]:
        if not inspect(session.get_bind()).has_table(_deadlines.name):
            return {}
        deadline = _deadlines.c
        query = select(deadline.serialized_dag_id, deadline.callback_def)
        callbacks: dict[Any, list[Any]] = {}
        for key, callback in session.execute(query.where(_mentions(deadline.callback_def, conn_id))):
            callbacks.setdefault(key, []).append(callback)
        return callbacks


def _named(conn_id: str, ids: Sequence[Any], others: Sequence[Any]) -> Any:
    """Select those in whose text the connection or a field of ours stands.

    :param others: are selected anyway.
    """
    data = _serialized.data
    query = select(_serialized.id, data, _serialized.data_compressed).where(_serialized.id.in_(ids))
    compressed = _serialized.data_compressed.is_not(None)
    return query.where(or_(compressed, _mentions(data, conn_id), _serialized.id.in_(others)))


def _mentions(column: Any, conn_id: str) -> Any:
    text = cast(column, Text())
    # As it is, and as JSON spells it where a database keeps the text.
    words = dict.fromkeys((conn_id, json.dumps(conn_id)[1:-1], *sorted(OURS)))
    return or_(*(text.contains(word, autoescape=True) for word in words))


def _content(data: Any, compressed: bytes | None) -> Any:
    try:
        content = json.loads(zlib.decompress(compressed)) if compressed else data
    except (ValueError, zlib.error, RecursionError):
        return None
    return content.get("dag") if isinstance(content, dict) else None


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
