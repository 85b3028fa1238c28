"""Connections as commands find and save them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from airflow_oauth_provider.authorizations import ConnectionValues, Target
from airflow_oauth_provider.authorizations.stored import StoredConnection, find_connection, replace_connection
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.exceptions import ConfigurationError


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
            raise
        return stored


def save(values: ConnectionValues) -> None:
    """Save a new connection.

    :raises ConfigurationError: when the name is taken or none that Airflow accepts.
    """
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        if session.scalar(select(Connection.id).where(Connection.conn_id == values.conn_id)) is not None:
            raise ConfigurationError(
                "exists already: change it with `airflow oauth2 edit` or in the user interface, or delete it "
                "first (`airflow connections delete`)",
                conn_id=values.conn_id,
            )
        session.add(
            Connection(
                conn_id=values.conn_id,
                conn_type=CONNECTION_TYPE,
                description=values.description,
                host=values.host,
                login=values.login,
                password=values.password,
                extra=values.extra,
            )
        )


def editable(conn_id: str) -> StoredConnection:
    """Find a connection that can be edited.

    :raises ConfigurationError: when the metadata database has none of our type, or tasks read another.
    """
    stored = find_connection(conn_id)
    if stored is None:
        reason = "the metadata database has no connection of this name and type"
    elif _is_elsewhere(conn_id):
        reason = (
            "tasks read it from the environment or a secrets backend, which comes before the metadata "
            "database: edit it there"
        )
    else:
        return stored
    raise ConfigurationError(reason, conn_id=conn_id)


def _is_elsewhere(conn_id: str) -> bool:
    from airflow.configuration import ensure_secrets_loaded
    from airflow.secrets.metastore import MetastoreBackend

    for backend in ensure_secrets_loaded():
        if not isinstance(backend, MetastoreBackend):
            with suppress(Exception):  # Airflow asks the next one, too
                if backend.get_connection(conn_id) is not None:
                    return True
    return False


def replace(before: StoredConnection, values: ConnectionValues) -> None:
    """Save an edited connection.

    :raises ConfigurationError: when somebody has changed it meanwhile.
    """
    if not replace_connection(before, values):
        raise ConfigurationError(
            "was changed or deleted by somebody else meanwhile: nothing is saved; look at it and try again",
            conn_id=values.conn_id,
        )
