"""Connections as commands find and save them."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.authorizations import ConnectionValues, Target
from airflow_oauth_provider.authorizations.stored import find_connection
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
                "exists already: edit it in the user interface, or delete it first "
                "(`airflow connections delete`)",
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
