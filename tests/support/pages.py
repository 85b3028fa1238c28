"""The pages of the plugin, drawn without a server: for connections that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_oauth_provider.authorizations import Authorization
from airflow_oauth_provider.authorizations.used_by import UsedBy
from airflow_oauth_provider.plugin.listing import Listing, Query
from airflow_oauth_provider.plugin.rendering import Obstacles, render


def list_page(listed: Listing, query: Query | None = None) -> str:
    """Return the list, for somebody who may do all."""
    return render(
        "list.html",
        "/x",
        query=query or Query(),
        listing=listed,
        obstacles={row.conn_id: Obstacles() for row in listed.rows},
        check_all="",
        creation="",
        warnings=(),
        store_note=None,
    )


def connection_page(authorization: Authorization, settings: Sequence[Any]) -> str:
    """Return the details of a connection that nothing uses, for somebody who may do all."""
    return render(
        "connection.html",
        "/x",
        authorization=authorization,
        settings=settings,
        uses=UsedBy(authorization.conn_id, (), at=0.0),
        most_tasks=1,
        origin="",
        obstacles=Obstacles(),
        trial_obstacle="",
        store_note=None,
    )
