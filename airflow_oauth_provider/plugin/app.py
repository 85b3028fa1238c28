"""The routes of the page "OAuth 2.0 servers".

Reading needs what Airflow's own list of connections needs; Authorize and Forget need the permission
to edit the connection. What changes something is asked for as JSON by a page of the same origin:
no form and no page of another site can make a browser do that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as AnyHTTPException

from airflow_oauth_provider.authorizations import (
    authorize,
    deployment_warnings,
    describe,
    forget,
    shown_settings,
    store_note,
)
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.plugin import airflow_access as access
from airflow_oauth_provider.plugin.entry import PREFIX
from airflow_oauth_provider.plugin.listing import Query, listing
from airflow_oauth_provider.plugin.rendering import Link, Obstacles, render
from airflow_oauth_provider.plugin.waiting import BusyError, Waiting

HEADERS = {
    # Only what this page brings along runs in it, and only Airflow frames it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app() -> FastAPI:
    """Return the application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.waiting = Waiting()
    app.add_exception_handler(AnyHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(ConfigurationError, _misconfigured)
    app.add_exception_handler(Exception, _failed)
    reading = [Depends(access.requires_access_connection("GET"))]
    app.get("/", dependencies=reading)(show_list)
    app.get("/connections/{connection_id:path}", dependencies=reading)(show_connection)
    for name, endpoint in (("authorize", authorize_connection), ("forget", forget_connection)):
        editing = [
            Depends(_sent_by_the_page),
            Depends(access.requires_access_connection("PUT")),
            Depends(_an_object),
            # Not "…_connection": of such events Airflow keeps the body and not the id in the address.
            Depends(access.action_logging(f"oauth2_{name}")),
        ]
        app.post(f"/{name}/{{connection_id:path}}", dependencies=editing)(endpoint)
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
    stored = access.find_connections()
    readable = access.authorized(stored, user, "GET")
    found = listing([each for each in stored if each.conn_id in readable], query, policy)
    on_page = {shown.conn_id for shown in found.shown}
    editable = access.authorized([each for each in stored if each.conn_id in on_page], user, "PUT")
    testing = access.testing_enabled()
    return _page(
        request,
        "list.html",
        query=replace(query, page=found.page),
        listing=found,
        obstacles={name: _obstacles(name, editable=name in editable, testing=testing) for name in on_page},
        warnings=deployment_warnings(policy),
        note=store_note(policy),
    )


def show_connection(request: Request, user: access.GetUserDep, connection_id: str) -> Response:
    """Show one connection: its state, its last refusal, its settings without secrets."""
    policy = read_policy()
    connection = _existing(connection_id)
    return _page(
        request,
        "connection.html",
        shown=describe(connection, policy),
        settings=shown_settings(connection),
        obstacles=_obstacles(
            connection_id,
            editable=bool(access.authorized([connection], user, "PUT")),
            testing=access.testing_enabled(),
        ),
        note=store_note(policy),
    )


async def authorize_connection(request: Request, connection_id: str) -> Response:
    """Get a new token, and say what came of it."""
    if not access.testing_enabled():
        raise HTTPException(403, _obstacles(connection_id, editable=True, testing=False).authorize)

    def work() -> tuple[bool, str]:
        checked = authorize(_existing(connection_id))
        return checked.ok, checked.message

    return await _told(request, connection_id, work)


async def forget_connection(request: Request, connection_id: str) -> Response:
    """Forget the token and every outcome that is remembered."""

    def work() -> tuple[bool, str]:
        try:
            forget(_existing(connection_id))
        except ConfigurationError as error:
            return False, str(error.for_connection(""))
        return True, "Forgotten. The next task asks for a new token."

    return await _told(request, connection_id, work)


async def _told(request: Request, connection_id: str, work: Callable[[], tuple[bool, str]]) -> Response:
    """Do *work* where it holds up nobody, and answer what came of it."""
    try:
        ok, message = await request.app.state.waiting.run(work)
    except BusyError:
        raise HTTPException(
            503, "Many connections are being authorized at this moment. Try again in a minute."
        ) from None
    return JSONResponse({"ok": ok, "message": f"{connection_id}: {message}"})


def _existing(connection_id: str) -> access.StoredConnection:
    connection = access.find_connection(connection_id)
    if connection is None:
        raise HTTPException(
            404, f"There is no OAuth 2.0 connection “{connection_id}” (any more): it may have been deleted."
        )
    return connection


def _obstacles(conn_id: str, *, editable: bool, testing: bool) -> Obstacles:
    return Obstacles.of(conn_id, editable=editable, testing=testing, commands=access.HAS_COMMANDS)


def _sent_by_the_page(request: Request) -> None:
    """Refuse what another site made a browser send.

    Forms cannot send JSON, a script of another origin would have to be allowed to by Airflow's
    CORS options, and browsers say where a request comes from.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "This was not sent by the page “OAuth 2.0 servers”, so nothing was done.")


async def _an_object(request: Request) -> None:
    """Refuse a body that is none, before Airflow's audit log stumbles over it."""
    try:
        fine = isinstance(await request.json(), dict)
    except (ValueError, RecursionError):
        fine = False
    if not fine:
        raise HTTPException(400, "The body of this request is no JSON object, so nothing was done.")


def _page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(render(template, request.scope["root_path"], **values), status, headers=HEADERS)


# What went wrong, told to people as a page and to the page's script as JSON


async def _refused(request: Request, error: Any) -> Response:
    root = request.scope["root_path"]
    if error.status_code == 401:
        link = Link(f"{root.removesuffix(PREFIX)}/", "Sign in", outside=True)
        text = "Your session has ended, or has not begun. Sign in to Airflow, then come back."
        return _message(request, 401, "Please sign in", text, link)
    if error.detail == "Forbidden":  # Airflow's own word
        right = "read" if request.method == "GET" else "edit"
        text = (
            f"Your role may not {right} connections. Ask an administrator of Airflow for the permission "
            f"to {right} connections."
        )
        return _message(request, 403, "No access to connections", text)
    title = {400: "Not understood", 404: "Not found", 503: "Busy"}.get(error.status_code, "Refused")
    return _message(request, error.status_code, title, str(error.detail), _back(request))


async def _misunderstood(request: Request, error: Any) -> Response:
    text = "The address of this page is not right: see what stands behind the question mark."
    return _message(request, 400, "Not understood", text, _back(request))


async def _misconfigured(request: Request, error: Any) -> Response:
    return _message(request, 500, "Wrong configuration", str(error))


async def _failed(request: Request, error: Any) -> Response:
    text = "Airflow could not answer. The log of its API server says why."
    return _message(request, 500, "Something went wrong", text, Link("", "Try again"))


def _message(request: Request, status: int, title: str, text: str, link: Link | None = None) -> Response:
    if "text/html" not in request.headers.get("accept", "text/html"):
        return JSONResponse({"ok": False, "message": text}, status)
    return _page(request, "message.html", status, title=title, text=text, link=link)


def _back(request: Request) -> Link:
    return Link(f"{request.scope['root_path']}/", "All OAuth 2.0 servers")
