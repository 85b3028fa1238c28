"""What a person can do to a connection: authorize, check, try, forget.

Each needs the permission to edit the connection, and is asked for as JSON by a page of the same origin. All
but Forget also need ``[core] test_connection`` to be ``Enabled``: they make Airflow call a server.
"""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response

from airflow_oauth_provider.authorizations import CheckResult, authorize, check_one, forget, remedy
from airflow_oauth_provider.authorizations.clamping import LONGEST_REASON, clamp
from airflow_oauth_provider.authorizations.remedies import reason
from airflow_oauth_provider.authorizations.spacing import HostSpacing
from airflow_oauth_provider.authorizations.steps import STEP_LABELS, step_text
from airflow_oauth_provider.authorizations.trying import obstacle_to_trials, try_call
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, TokenEndpointError
from airflow_oauth_provider.plugin import airflow_access as access
from airflow_oauth_provider.plugin.connections import list_values
from airflow_oauth_provider.plugin.listing import Query
from airflow_oauth_provider.plugin.messages import PageError, root_of
from airflow_oauth_provider.plugin.origin import refuse_other_sites, require_object, require_size
from airflow_oauth_provider.plugin.outcomes import Outcome, existing, obstacles_of, respond
from airflow_oauth_provider.plugin.rendering import render
from airflow_oauth_provider.plugin.waiting import Waiting


def add_actions(app: FastAPI) -> None:
    """Add the routes."""
    # Checks of all connections have threads of their own: somebody who authorizes one does not wait for them.
    app.state.checking = Waiting()
    app.state.spacing = HostSpacing()
    for name, endpoint in (
        ("authorize", authorize_connection),
        ("check", check_connection),
        ("try", try_connection),
        ("forget", forget_connection),
    ):
        editing = [
            Depends(refuse_other_sites),
            Depends(require_size),
            Depends(access.requires_access("PUT")),
            Depends(require_object),
            Depends(access.audit(f"oauth2_{name}")),
        ]
        app.post(f"/{name}/{{connection_id:path}}", dependencies=editing)(endpoint)


async def authorize_connection(request: Request, connection_id: str) -> Response:
    """Get a new token, and respond with the outcome, step by step."""
    _require_testing(connection_id)

    def work() -> Outcome:
        checked = authorize(existing(connection_id))
        html = _rendered(request, "outcome.html", result=checked, labels=STEP_LABELS, text_of=step_text)
        message, short = _texts(checked)
        return Outcome(checked.ok, message, short, html)

    return await respond(request, connection_id, work)


async def check_connection(request: Request, user: access.GetUserDep, connection_id: str) -> Response:
    """Check one of many, and respond with its row of the list as it is then."""
    _require_testing(connection_id)

    def work() -> Outcome:
        connection = existing(connection_id)
        checked = check_one(connection, request.app.state.spacing)
        html = _rendered(request, "list.html", **list_values([connection], Query(), user))
        return Outcome(checked.ok, checked.message, _line(checked), html)

    return await respond(request, connection_id, work, request.app.state.checking)


async def try_connection(request: Request, connection_id: str) -> Response:
    """GET a path of the API, and respond with what it answers."""
    _require_testing(connection_id)
    if obstacle := obstacle_to_trials(read_policy()):
        raise PageError(403, "Refused", obstacle)
    path = (await request.json()).get("path")
    if not isinstance(path, str):
        raise PageError(400, "Not understood", "Which path of the API is to be tried?")

    def work() -> Outcome:
        result = try_call(existing(connection_id), path.strip())
        return Outcome(result.ok, result.message, html=_rendered(request, "trial.html", result=result))

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


def _texts(checked: CheckResult) -> tuple[str, str | None]:
    if not checked.displayed or checked.error is None:
        return checked.message, None
    # The row has the reason, the page of the connection what to do as well.
    return f"{checked.headline}. {remedy(checked.error)}", checked.headline


def _line(checked: CheckResult) -> str:
    """Return what the list of failed checks says; the row has no room for all of it."""
    if checked.error is None or isinstance(checked.error, TokenEndpointError):
        return checked.headline
    return f"Not authorized: {clamp(reason(checked.error), LONGEST_REASON)}"


def _require_testing(connection_id: str) -> None:
    if obstacle := obstacles_of(connection_id, editable=True, testing=access.testing_enabled()).authorize:
        raise PageError(403, "Refused", obstacle)


def _rendered(request: Request, template: str, **values: Any) -> str:
    return render(template, root_of(request), **values)
