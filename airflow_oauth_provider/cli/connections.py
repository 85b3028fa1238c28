"""Connections as commands find them."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.authorizations import Target
from airflow_oauth_provider.authorizations.stored import find_connection, find_connections
from airflow_oauth_provider.connection.identifier import connection_not_found


def named(conn_id: str) -> Target:
    """Find a connection by its id: in the environment, a secrets backend or the metadata database."""
    return Target.read(conn_id, _read)


def _read(conn_id: str) -> Any:
    from airflow.models import Connection
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        return Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        # Airflow says so of one that it cannot decrypt, too.
        stored = find_connection(conn_id)
        if stored is None:
            raise connection_not_found(conn_id, (row.conn_id for row in find_connections())) from None
        return stored
