"""The routes of the page "OAuth 2.0 servers".

Reading needs what Airflow's own list of connections needs; what changes a connection or its tokens
needs the permission to edit it, and New that to create connections. What changes something is asked
for as JSON by a page of the same origin: no form and no page of another site can make a browser do
that. What is in the way is an error with a type and a title of its own (:mod:`messages`); its text
decides nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi import Query as Parameter
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from airflow_oauth_provider.authorizations import describe, display_sections, store_note
from airflow_oauth_provider.authorizations.trying import obstacle_to_trials
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.plugin import STATIC
from airflow_oauth_provider.plugin import airflow_access as access
from airflow_oauth_provider.plugin.actions import add_actions
from airflow_oauth_provider.plugin.connections import list_values, readable
from airflow_oauth_provider.plugin.editing import add_editing
from airflow_oauth_provider.plugin.listing import Query, counts, matching
from airflow_oauth_provider.plugin.messages import add_messages, page_response
from airflow_oauth_provider.plugin.outcomes import existing, obstacles_of
from airflow_oauth_provider.plugin.using import MOST_TASKS, readable_uses
from airflow_oauth_provider.plugin.waiting import Waiting


def create_app() -> FastAPI:
    """Return the application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.waiting = Waiting()
    add_messages(app)
    reading = [Depends(access.requires_access("GET"))]
    app.get("/", dependencies=reading)(show_list)
    app.get("/chips", dependencies=reading)(show_chips)
    app.get("/connections/{connection_id:path}", dependencies=reading)(show_connection)
    app.get("/names", dependencies=reading)(show_names)
    add_actions(app)
    add_editing(app)
    app.mount(STATIC, StaticFiles(directory=Path(__file__).parent / "static"))
    return app


def show_list(
    request: Request,
    user: access.GetUserDep,
    text: str = "",
    category: str = "",
    status: str = "",
    sort: str = "name",
    page: int = 1,
) -> Response:
    """Show the connections the person may read."""
    query = Query(text.strip(), category, status, sort, page)
    return page_response(request, "list.html", **list_values(readable(user), query, user))


def show_chips(
    request: Request, user: access.GetUserDep, text: str = "", category: str = "", status: str = ""
) -> Response:
    """Count the connections of each status: apart, since in a long list that takes longer than the page."""
    query = Query(text.strip(), category, status)
    counted = counts(readable(user), query, read_policy())
    return page_response(request, "chips.html", query=query, counts=counted)


def show_names(
    user: access.GetUserDep, text: str = "", category: str = "", status: str = ""
) -> dict[str, list[str]]:
    """Return the ids of what the filters leave, on whichever page, and the person may edit."""
    connections = matching(readable(user), Query(text.strip(), category, status), read_policy())
    editable = access.authorized(connections, user, "PUT")
    return {"names": [connection.conn_id for connection in connections if connection.conn_id in editable]}


def show_connection(
    request: Request,
    user: access.GetUserDep,
    connection_id: str,
    origin: Annotated[str, Parameter(alias="list")] = "",
) -> Response:
    """Show one connection: its state, its last refusal, its settings without secrets.

    :param origin: the query of the list from which the person comes, and goes back to.
    """
    policy = read_policy()
    connection = existing(connection_id)
    obstacles = obstacles_of(
        connection_id,
        editable=bool(access.authorized([connection], user, "PUT")),
        testing=access.testing_enabled(),
    )
    return page_response(
        request,
        "connection.html",
        authorization=describe(connection, policy),
        uses=readable_uses(connection, user, policy),
        most_tasks=MOST_TASKS,
        origin=Query.of(origin).address(),
        settings=display_sections(connection),
        obstacles=obstacles,
        trial_obstacle=obstacles.authorize or obstacle_to_trials(policy),
        store_note=store_note(policy),
    )
