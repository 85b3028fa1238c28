"""The routes of the page "OAuth 2.0 servers".

Reading needs what Airflow's own list of connections needs; Authorize and Forget need the permission
to edit the connection. What changes something is asked for as JSON by a page of the same origin:
no form and no page of another site can make a browser do that. What is in the way is an error with a
type and a title of its own (:mod:`messages`); its text decides nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi import Query as Parameter
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from airflow_oauth_provider.authorizations import (
    authorize,
    deployment_warnings,
    describe,
    display_sections,
    forget,
    remedy,
    store_note,
)
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.plugin import airflow_access as access
from airflow_oauth_provider.plugin.editing import add_editing
from airflow_oauth_provider.plugin.listing import Query, counts, listing
from airflow_oauth_provider.plugin.messages import PageError, add_messages, page_response
from airflow_oauth_provider.plugin.origin import refuse_other_sites, require_object
from airflow_oauth_provider.plugin.outcomes import Outcome, creation_obstacle, existing, obstacles_of, respond
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
    for name, endpoint in (("authorize", authorize_connection), ("forget", forget_connection)):
        editing = [
            Depends(refuse_other_sites),
            Depends(access.requires_access("PUT")),
            Depends(require_object),
            # Not "…_connection": of such events Airflow keeps the body and not the id in the address.
            Depends(access.action_logging(f"oauth2_{name}")),
        ]
        app.post(f"/{name}/{{connection_id:path}}", dependencies=editing)(endpoint)
    add_editing(app)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
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
    policy = read_policy()
    query = Query(text.strip(), category, status, sort, page)
    stored = _readable(user)
    listed = listing(stored, query, policy)
    on_page = {authorization.conn_id for authorization in listed.rows}
    editable = access.authorized(
        [connection for connection in stored if connection.conn_id in on_page], user, "PUT"
    )
    testing = access.testing_enabled()
    return page_response(
        request,
        "list.html",
        query=replace(query, page=listed.page),
        listing=listed,
        obstacles={name: obstacles_of(name, editable=name in editable, testing=testing) for name in on_page},
        creation=creation_obstacle(user),
        warnings=deployment_warnings(policy),
        store_note=store_note(policy),
    )


def show_chips(
    request: Request, user: access.GetUserDep, text: str = "", category: str = "", status: str = ""
) -> Response:
    """Count the connections of each status: apart, since in a long list that takes longer than the page."""
    query = Query(text.strip(), category, status)
    counted = counts(_readable(user), query, read_policy())
    return page_response(request, "chips.html", query=query, counts=counted)


def _readable(user: access.GetUserDep) -> list[access.StoredConnection]:
    stored = access.find_connections()
    readable = access.authorized(stored, user, "GET")
    return [connection for connection in stored if connection.conn_id in readable]


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
    return page_response(
        request,
        "connection.html",
        authorization=describe(connection, policy),
        uses=readable_uses(connection, user, policy),
        most_tasks=MOST_TASKS,
        origin=Query.of(origin).address(),
        settings=display_sections(connection),
        obstacles=obstacles_of(
            connection_id,
            editable=bool(access.authorized([connection], user, "PUT")),
            testing=access.testing_enabled(),
        ),
        store_note=store_note(policy),
    )


async def authorize_connection(request: Request, connection_id: str) -> Response:
    """Get a new token, and respond with the outcome."""
    if not access.testing_enabled():
        obstacles = obstacles_of(connection_id, editable=True, testing=False)
        raise PageError(403, "Refused", obstacles.authorize)

    def work() -> Outcome:
        checked = authorize(existing(connection_id))
        if not checked.displayed or checked.error is None:
            return Outcome(checked.ok, checked.message)
        # The row has the reason, the page of the connection what to do as well.
        return Outcome(
            ok=False, message=f"{checked.headline}. {remedy(checked.error)}", short=checked.headline
        )

    return await respond(request, connection_id, work)


async def forget_connection(request: Request, connection_id: str) -> Response:
    """Forget the token and every outcome that is remembered."""

    def work() -> Outcome:
        try:
            forget(existing(connection_id))
        except ConfigurationError as error:
            return Outcome(ok=False, message=str(error.for_connection("")))
        return Outcome(ok=True, message="Forgotten. The next task asks for a new token.")

    return await respond(request, connection_id, work)
