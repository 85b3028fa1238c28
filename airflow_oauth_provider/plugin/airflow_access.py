"""Airflow's own authorization, audit log and stored connections, as the page's routes use them.

Nothing of this is a stable API of Airflow: nothing else in this package imports it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_connection
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.configuration import conf
from airflow.models.connection import Connection
from airflow.models.crypto import get_fernet
from airflow.utils.session import create_session
from sqlalchemy import null, select

from airflow_oauth_provider.fields import CONNECTION_TYPE

__all__ = [
    "HAS_COMMANDS",
    "GetUserDep",
    "StoredConnection",
    "action_logging",
    "authorized",
    "find_connection",
    "find_connections",
    "requires_access_connection",
    "testing_enabled",
]


HAS_COMMANDS = hasattr(Connection, "team_name")
"""Whether providers can add commands to ``airflow``: from 3.2 on, as do connections that name their team."""


@dataclass(frozen=True)
class StoredConnection:
    """A connection of the metadata database, its secrets decrypted when they are read.

    Airflow's own model tells the secrets masker every password it loads, used or not, and the
    masker's pattern grows with each: a list of 500 would take seconds and slow down all logging.
    """

    conn_id: str
    conn_type: str
    description: str | None
    host: str | None
    schema: str | None
    login: str | None
    port: int | None
    team_name: str | None
    stored_password: str | None = field(repr=False)
    stored_extra: str | None = field(repr=False)
    is_encrypted: bool
    is_extra_encrypted: bool

    @cached_property
    def password(self) -> str | None:
        """The client secret."""
        return _decrypted(self.stored_password, encrypted=self.is_encrypted)

    @cached_property
    def extra(self) -> str | None:
        """The extra's JSON."""
        return _decrypted(self.stored_extra, encrypted=self.is_extra_encrypted)


def _decrypted(stored: str | None, *, encrypted: bool) -> str | None:
    return get_fernet().decrypt(stored.encode()).decode() if stored and encrypted else stored


def testing_enabled() -> bool:
    """Whether the deployment lets people test connections."""
    setting = conf.get("core", "test_connection", fallback="Disabled")
    return str(setting).lower().strip() == "enabled"


def find_connections() -> list[StoredConnection]:
    """Return the stored connections of our type, by name."""
    with create_session(scoped=False) as session:
        return [
            StoredConnection(*row) for row in session.execute(_connections().order_by(Connection.conn_id))
        ]


def find_connection(conn_id: str) -> StoredConnection | None:
    """Return one stored connection of our type."""
    with create_session(scoped=False) as session:
        row = session.execute(_connections().where(Connection.conn_id == conn_id)).first()
    return StoredConnection(*row) if row else None


def _connections() -> Any:
    # Before Airflow 3.2 a connection knows its team by number only, and no team matters yet.
    team = getattr(Connection, "team_name", None)
    return select(
        Connection.conn_id,
        Connection.conn_type,
        Connection.description,
        Connection.host,
        Connection.schema,
        Connection.login,
        Connection.port,
        null() if team is None else team,
        Connection._password,  # noqa: SLF001  (the column; ``password`` decrypts)
        Connection._extra,  # noqa: SLF001
        Connection.is_encrypted,
        Connection.is_extra_encrypted,
    ).where(Connection.conn_type == CONNECTION_TYPE)


def authorized(connections: Iterable[StoredConnection], user: Any, method: str) -> set[str]:
    """Return the ids of those connections with which *user* may do *method*, as Airflow's own list asks."""
    by_team: dict[str | None, set[str]] = defaultdict(set)
    for connection in connections:
        by_team[connection.team_name].add(connection.conn_id)
    allowed: set[str] = set()
    for team, conn_ids in by_team.items():
        allowed |= _authorized(conn_ids, team, user, method)
    return allowed


def _authorized(conn_ids: set[str], team: str | None, user: Any, method: str) -> set[str]:
    manager = get_auth_manager()
    if hasattr(manager, "filter_authorized_connections"):
        allowed: set[str] = manager.filter_authorized_connections(
            conn_ids=conn_ids, user=user, method=method, team_name=team
        )
        return allowed
    return {  # before Airflow 3.2
        conn_id
        for conn_id in conn_ids
        if manager.is_authorized_connection(
            method=method, details=ConnectionDetails(conn_id=conn_id, team_name=team), user=user
        )
    }
