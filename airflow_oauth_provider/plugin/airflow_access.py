"""Airflow's own authorization and audit log, as the page's routes use them.

Nothing of this is a stable API of Airflow: nothing else in this package imports it.
"""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import islice
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_connection
from airflow.configuration import conf
from airflow.models import Log
from airflow.models.connection import Connection
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool

from airflow_oauth_provider.authorizations.stored import (
    StoredConnection,
    find_connection,
    find_connections,
)
from airflow_oauth_provider.plugin.messages import NoAccessError

_RIGHTS = {"GET": "read", "PUT": "edit", "POST": "create"}

__all__ = [
    "HAS_COMMANDS",
    "GetUserDep",
    "StoredConnection",
    "audit",
    "authorized",
    "base_url",
    "digest_key",
    "find_connection",
    "find_connections",
    "log_change",
    "may_create",
    "readable_dags",
    "require_creation",
    "require_editing",
    "requires_access",
    "testing_enabled",
]


_LONGEST_ID = 250
_LONGEST_NAME, _MOST_NAMES = 100, 200
HAS_COMMANDS = hasattr(Connection, "team_name")
"""Whether providers can add commands to ``airflow``: from 3.2 on, as do connections that name their team."""


def requires_access(method: str) -> Callable[..., Coroutine[Any, Any, None]]:
    """Return the check that Airflow's own page of connections makes.

    :param method: "GET" to read, "PUT" to edit, in a request with a body.
    """
    check: Any = requires_access_connection(method)

    async def required(request: Request, user: GetUserDep) -> None:
        try:
            if inspect.iscoroutinefunction(check):
                await check(request, user)
            else:  # before Airflow 3.3
                await run_in_threadpool(check, request, user)
        except HTTPException as error:
            if error.status_code != 403:
                raise
            raise NoAccessError(_RIGHTS[method]) from None

    return required


def may_create(user: Any) -> bool:
    """Whether a person may make connections, as Airflow's own page asks."""
    allowed = get_auth_manager().is_authorized_connection(
        method="POST", details=ConnectionDetails(), user=user
    )
    return bool(allowed)


def require_creation(user: GetUserDep) -> None:
    """Refuse people who may not make connections.

    Not by Airflow's own check, which takes the team from the body of the request: what is made here belongs
    to no team, whatever a body says, and a form that is fetched has none.

    :raises NoAccessError: for anybody who may not.
    """
    if not may_create(user):
        raise NoAccessError(_RIGHTS["POST"])


def require_editing(connection: StoredConnection, user: Any) -> None:
    """Refuse people who may not edit a connection, where there is no body for Airflow's own check to read.

    :raises NoAccessError: for anybody who may not.
    """
    if not authorized([connection], user, "PUT"):
        raise NoAccessError(_RIGHTS["PUT"])


def log_change(event: str, user: Any, conn_id: str, fields: Iterable[str]) -> None:
    """Write to Airflow's audit log who changes which fields: their names, and nothing that is in them."""
    extra = {"connection_id": conn_id[:_LONGEST_ID], "fields": list(fields), "method": "POST"}
    name = user.get_name()
    with create_session(scoped=False) as session:
        session.add(
            Log(
                event=event,
                task_instance=None,
                owner=name,
                owner_display_name=name,
                extra=json.dumps(extra),
            )
        )


def audit(event: str) -> Callable[..., Coroutine[Any, Any, None]]:
    """Return what writes to the audit log who does what to a connection, with :func:`log_change`."""

    async def written(request: Request, user: GetUserDep) -> None:
        fields = sorted(name[:_LONGEST_NAME] for name in await request.json())[:_MOST_NAMES]
        await run_in_threadpool(log_change, event, user, request.path_params["connection_id"], fields)

    return written


def digest_key() -> bytes:
    """Return a secret that all of the deployment's API servers share, for digests of what is stored."""
    options = (("core", "fernet_key"), ("api_auth", "jwt_secret"))
    return "\0".join(str(conf.get(*option, fallback="") or "") for option in options).encode()


def base_url() -> str:
    """Return the address under which people reach Airflow; empty where the deployment does not say it."""
    return str(conf.get("api", "base_url", fallback="") or "")


def testing_enabled() -> bool:
    """Whether the deployment lets people test connections."""
    setting = conf.get("core", "test_connection", fallback="Disabled")
    return str(setting).lower().strip() == "enabled"


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


def readable_dags(dag_ids: Sequence[str], user: Any, most: int) -> set[str]:
    """Return those DAGs that *user* may read, with their tasks, as Airflow's own pages ask.

    :param most: how many at most; no more are asked about.
    """
    if not dag_ids:
        return set()
    manager = get_auth_manager()
    authorized = manager.get_authorized_dag_ids(user=user, method="GET")
    allowed = (
        dag_id
        for dag_id in dag_ids
        if dag_id in authorized
        and manager.is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.TASK, details=_dag_details(dag_id), user=user
        )
    )
    return set(islice(allowed, most))


def _dag_details(dag_id: str) -> DagDetails:
    if hasattr(DagModel, "get_team_name"):
        return DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    return DagDetails(id=dag_id)  # before Airflow 3.2
