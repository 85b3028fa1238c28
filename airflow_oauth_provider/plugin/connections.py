"""Which connections a person may read, and what the list shows of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from airflow_oauth_provider.authorizations import deployment_warnings, store_note
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.plugin import airflow_access as access
from airflow_oauth_provider.plugin.listing import Query, listing
from airflow_oauth_provider.plugin.outcomes import creation_obstacle, obstacles_of


def readable(user: Any) -> list[access.StoredConnection]:
    """Return the connections that a person may read."""
    stored = access.find_connections()
    allowed = access.authorized(stored, user, "GET")
    return [connection for connection in stored if connection.conn_id in allowed]


def list_values(connections: Iterable[access.StoredConnection], query: Query, user: Any) -> dict[str, Any]:
    """Return what the template of the list shows.

    :param connections: that the person may read.
    """
    policy, connections, testing = read_policy(), list(connections), access.testing_enabled()
    listed = listing(connections, query, policy)
    on_page = {authorization.conn_id for authorization in listed.rows}
    shown = [connection for connection in connections if connection.conn_id in on_page]
    editable = access.authorized(shown, user, "PUT")
    return {
        "query": replace(query, page=listed.page),
        "listing": listed,
        "obstacles": {
            name: obstacles_of(name, editable=name in editable, testing=testing) for name in on_page
        },
        "check_all": "" if testing else SWITCHED_OFF,
        "creation": creation_obstacle(user),
        "warnings": deployment_warnings(policy),
        "store_note": store_note(policy),
    }


_instead = ", or run: airflow oauth2 check --all" if access.HAS_COMMANDS else ""
SWITCHED_OFF = f"Switched off: set test_connection = Enabled in section [core] of airflow.cfg{_instead}"
"""Why nobody can check all connections from the page."""
