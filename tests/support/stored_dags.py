"""Serialized DAGs in the metadata database, without a file or a DAG processor."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

BUNDLE = "the-bundle"


def content(dag_id: str, **fields: Any) -> dict[str, Any]:
    """Return a DAG with one task that has these fields."""
    task = {"task_id": "t", "template_fields": list(fields), **fields}
    return {"dag_id": dag_id, "tasks": [{"__var": task, "__type": "operator"}]}


@contextmanager
def stored_dags() -> Iterator[DagStore]:
    """Add DAGs to the database; all are gone afterwards."""
    store = DagStore()
    store.clear()
    try:
        yield store
    finally:
        store.clear()


class DagStore:
    """Writes rows as Airflow's DAG processor does."""

    def add(
        self,
        dag: dict[str, Any],
        *,
        version: int = 1,
        compressed: bool = False,
        next_run: datetime | None = None,
        **columns: Any,
    ) -> None:
        """Add a DAG, or another version of one.

        :param columns: of the table ``dag``.
        """
        from airflow.models.dag import DagModel
        from airflow.models.dag_version import DagVersion
        from airflow.models.dagbundle import DagBundleModel
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.session import create_session
        from sqlalchemy import insert

        values = {"is_paused": False, "is_stale": False, "bundle_name": BUNDLE, **columns}
        data = {"__version": 3, "dag": dag}
        with create_session(scoped=False) as session:
            if session.get(DagBundleModel, values["bundle_name"]) is None:
                session.add(DagBundleModel(name=values["bundle_name"]))
                session.flush()
            if version == 1:
                session.add(DagModel(dag_id=dag["dag_id"], next_dagrun_create_after=next_run, **values))
                session.flush()
            dag_version = DagVersion(dag_id=dag["dag_id"], version_number=version)
            session.add(dag_version)
            session.flush()
            row = {"dag_id": dag["dag_id"], "dag_hash": "0", "dag_version_id": dag_version.id}
            row |= (
                {"data_compressed": zlib.compress(json.dumps(data).encode())}
                if compressed
                else {"data": data}
            )
            session.execute(insert(SerializedDagModel.__table__).values(**row))

    def clear(self) -> None:
        """Remove all DAGs."""
        from airflow.models.dag import DagModel
        from airflow.models.dag_version import DagVersion
        from airflow.models.dagrun import DagRun
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.session import create_session
        from sqlalchemy import delete

        with create_session(scoped=False) as session:
            for model in (SerializedDagModel, DagRun, DagVersion, DagModel):
                session.execute(delete(model.__table__))
