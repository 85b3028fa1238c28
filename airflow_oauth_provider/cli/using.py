"""Rows in which ``airflow oauth2 used-by`` shows what uses a connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from airflow_oauth_provider.authorizations import Target, error_report
from airflow_oauth_provider.authorizations.history import history_of
from airflow_oauth_provider.authorizations.stored import find_connection
from airflow_oauth_provider.authorizations.times import utc
from airflow_oauth_provider.authorizations.used_by import UsedBy, UsingDag, used_by
from airflow_oauth_provider.cli.connections import named
from airflow_oauth_provider.exceptions import ConfigurationError

MOST_ROWS = 500
"""Rows of a table; documents have all."""


def uses_of(target: Target) -> UsedBy:
    """Return what uses a connection, whether it exists or not: DAGs may name one that was deleted."""
    stored = find_connection(target.conn_id)
    history = history_of(target.connection) if target.error is None else None
    return used_by(
        target.conn_id, stored.team_name if stored else None, seen=history.uses() if history else ()
    )


def uses_before(conn_id: str) -> tuple[str, ...]:
    """Say what uses a connection before something is done to it; that needs no database, so nor may this."""
    try:
        return (uses_of(named(conn_id)).summary,)
    except SQLAlchemyError:
        return ()


def using_report(uses: UsedBy, unknown: ConfigurationError | None) -> dict[str, Any]:
    """Return what JSON has of it.

    :param unknown: says that there is no such connection; ``None`` where there is one.
    """
    return uses.report() | ({} if unknown is None else {"ok": False, "error": error_report(unknown)})


def using_rows(uses: UsedBy) -> list[dict[str, Any]]:
    """Return them as rows of the table, as many as it has."""
    rows = ((dag, use) for dag in uses.dags for use in dag.uses)
    return [
        {
            "dag": dag.dag_id,
            "task": use.task_id,
            "how": use.how,
            "where": use.place if use.text is None else f"{use.place}: {use.text}",
            "last use": utc(use.last_at) if use.last_at is not None else "",
            "next run": next_run(dag),
        }
        for (dag, use), _ in zip(rows, range(MOST_ROWS), strict=False)
    ]


def left_out(uses: UsedBy) -> str | None:
    """Say how many the table leaves out."""
    more = sum(len(dag.uses) for dag in uses.dags) - MOST_ROWS
    return f"And {more} more: --json has all." if more > 0 else None


def next_run(dag: UsingDag) -> str:
    """Return when a DAG runs next, in words."""
    schedule = dag.schedule
    if not dag.exists:
        return "no such DAG any more"
    if schedule.paused:
        return "paused"
    if schedule.running:
        return "runs now"
    return utc(schedule.next_run_at) if schedule.next_run_at is not None else schedule.summary or ""
