"""What uses a connection, for the person who looks at its page."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.authorizations.history import history_of
from airflow_oauth_provider.authorizations.used_by import PATIENCE, UsedBy, used_by
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.plugin import airflow_access as access

MOST_DAGS = 50
"""DAGs that a page names as users of a connection."""
MOST_TASKS = 10
"""Tasks that it names of each."""


def readable_uses(connection: access.StoredConnection, user: Any, policy: Policy) -> UsedBy:
    """Return what uses a connection: DAGs that *user* may read by name, the others as a number."""
    history = history_of(connection, policy)
    seen = history.uses() if history else ()
    uses = used_by(connection.conn_id, connection.team_name, seen=seen, seconds=PATIENCE)
    return uses.readable(access.readable_dags([dag.dag_id for dag in uses.dags], user, MOST_DAGS))
