"""What comes of an action, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from airflow_oauth_provider.plugin import airflow_access as access
from airflow_oauth_provider.plugin.messages import PageError
from airflow_oauth_provider.plugin.rendering import Obstacles
from airflow_oauth_provider.plugin.waiting import BusyError, Waiting


@dataclass(frozen=True)
class Outcome:
    """The outcome of an action.

    :param message: one line for people.
    :param short: what is left to say where the page shows the rest; ``None`` for all of *message*.
    :param html: more of it, for the page to put in.
    """

    ok: bool
    message: str
    short: str | None = None
    html: str | None = None


async def respond(
    request: Request, connection_id: str, work: Callable[[], Outcome], waiting: Waiting | None = None
) -> Response:
    """Do *work* where it holds up nobody, and respond with the outcome.

    :param waiting: where; ``None`` for where people wait.
    """
    outcome = await done(request, work, waiting)
    texts = {"message": outcome.message, "short": outcome.short or outcome.message}
    return JSONResponse(
        {"ok": outcome.ok, "html": outcome.html}
        | {name: f"{connection_id}: {text}" for name, text in texts.items()}
    )


async def done(request: Request, work: Callable[[], Any], waiting: Waiting | None = None) -> Any:
    """Do *work* where it holds up nobody, and return what it returns.

    :param waiting: as of :func:`respond`.

    :raises PageError: when too many wait; nothing has been done then.
    """
    try:
        return await (waiting or request.app.state.waiting).run(work)
    except BusyError:
        text = "Many connections are being authorized at this moment. Try again in a minute."
        raise PageError(503, "Busy", text) from None


def existing(connection_id: str) -> access.StoredConnection:
    """Return a stored connection of our type.

    :raises PageError: when there is none.
    """
    connection = access.find_connection(connection_id)
    if connection is None:
        text = f"There is no OAuth 2.0 connection “{connection_id}” (any more): it may have been deleted."
        raise PageError(404, "Not found", text)
    return connection


def obstacles_of(conn_id: str, *, editable: bool, testing: bool) -> Obstacles:
    """Return why a person cannot do what the buttons of a connection say."""
    return Obstacles.of(conn_id, editable=editable, testing=testing, commands=access.HAS_COMMANDS)


def creation_obstacle(user: Any) -> str:
    """Return why a person cannot make a new connection; empty where nothing is in the way."""
    if access.may_create(user):
        return ""
    return "This needs the permission to create connections: ask an administrator of Airflow."
