"""What is in the way, for people as a page and for the page's script as JSON.

Decided by type: :class:`PageError` and :class:`NoAccessError` are ours; any other HTTP error comes from
Airflow or from Starlette.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.plugin import PREFIX, STATIC
from airflow_oauth_provider.plugin.rendering import Link, render


class PageError(HTTPException):
    """What the page itself refuses.

    :param title: of the page that says so, above *text*.
    """

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(status, text)
        self.title = title


class NoAccessError(PageError):
    """The person's role does not allow it.

    :param right: "read" or "edit".
    """

    def __init__(self, right: str) -> None:
        text = (
            f"Your role may not {right} connections. Ask an administrator of Airflow for the permission "
            f"to {right} connections."
        )
        super().__init__(403, "No access to connections", text)


def add_messages(app: FastAPI) -> None:
    """Have every error become a message."""
    app.add_exception_handler(NoAccessError, _no_access)
    app.add_exception_handler(PageError, _refused)
    app.add_exception_handler(AnyHTTPException, _foreign)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(ConfigurationError, _misconfigured)
    app.add_exception_handler(Exception, _failed)


async def _no_access(request: Request, error: Any) -> Response:
    return _message(request, error.status_code, error.title, error.detail)


async def _refused(request: Request, error: Any) -> Response:
    return _message(request, error.status_code, error.title, error.detail, _back(request))


async def _foreign(request: Request, error: Any) -> Response:
    if error.status_code in {401, 403}:  # the only ones before a route of ours is reached: who is it?
        link = Link(f"{root_of(request).removesuffix(PREFIX)}/", "Sign in", outside=True)
        text = "Your session has ended, or has not begun. Sign in to Airflow, then come back."
        return _message(request, 401, "Please sign in", text, link)
    title = "Not found" if error.status_code == 404 else "Refused"
    return _message(request, error.status_code, title, str(error.detail), _back(request))


async def _misunderstood(request: Request, error: Any) -> Response:
    text = "The address of this page is not right: see what stands behind the question mark."
    return _message(request, 400, "Not understood", text, _back(request))


async def _misconfigured(request: Request, error: Any) -> Response:
    return _message(request, 500, "Wrong configuration", str(error))


async def _failed(request: Request, error: Any) -> Response:
    text = "Airflow could not respond. The log of its API server says why."
    return _message(request, 500, "Something went wrong", text, Link("", "Try again"))


def _message(request: Request, status: int, title: str, text: str, link: Link | None = None) -> Response:
    if "text/html" not in request.headers.get("accept", "text/html"):
        return JSONResponse({"ok": False, "message": text}, status)
    return page_response(request, "message.html", status, title=title, text=text, link=link)


def _back(request: Request) -> Link:
    return Link(f"{root_of(request)}/", "All OAuth 2.0 servers")


def page_response(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page of HTML."""
    return HTMLResponse(render(template, root_of(request), **values), status)


def root_of(request: Request) -> str:
    """Return the path of the page itself: below its static files, Starlette has added theirs."""
    return str(request.scope["root_path"]).removesuffix(STATIC)
