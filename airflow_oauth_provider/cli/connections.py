"""Connections as commands find them."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.authorizations import Target, saving
from airflow_oauth_provider.authorizations.stored import StoredConnection, find_connection, find_connections
from airflow_oauth_provider.connection.identifier import connection_not_found
from airflow_oauth_provider.exceptions import ConnectionNotFoundError


def named(conn_id: str) -> Target:
    """Find a connection by its id: in the environment, a secrets backend or the metadata database."""
    return Target.read(conn_id, _read)


def unknown(target: Target) -> ConnectionNotFoundError | None:
    """Return the error of an id that no connection has; ``None`` for all else that a connection may be."""
    return target.error if isinstance(target.error, ConnectionNotFoundError) else None


def editable(conn_id: str) -> StoredConnection:
    """Find a connection that can be edited.

    The page does without the similar ids, which may be those of connections that a person may not read.

    :raises ConfigurationError: when there is none, or it is to be edited elsewhere.
    """
    if find_connection(conn_id) is None and (error := unknown(named(conn_id))):
        raise error
    return saving.editable(conn_id)


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
