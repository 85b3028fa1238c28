"""New and Edit: the form, and what becomes of what a person enters there.

What is saved is decided where it is decided for commands, too: :mod:`authorizations.editing`, ``saving``. The
audit log gets the names of fields and nothing that is in them. An edit names the connection as it was when
its form was opened, by a digest; when somebody else has changed it since, nothing is saved, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from airflow_oauth_provider.authorizations import ConnectionValues, authorize, remedy, saving
from airflow_oauth_provider.authorizations.editing import (
    edit_of,
    new_connection,
    require_name,
    stored_fields,
)
from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.authorizations.form_values import FormValue, entered, form_values
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError
from airflow_oauth_provider.connection.presets import filled_in, preset_named, presets, tenant_named
from airflow_oauth_provider.connection.resolving import MAX_NAME
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.plugin import airflow_access as access
from airflow_oauth_provider.plugin.form import (
    NAME,
    FormField,
    method_needs,
    preset_values,
    sections,
)
from airflow_oauth_provider.plugin.listing import category_of
from airflow_oauth_provider.plugin.messages import PageError, page_response
from airflow_oauth_provider.plugin.origin import refuse_other_sites, require_object, require_size
from airflow_oauth_provider.plugin.outcomes import done, existing
from airflow_oauth_provider.plugin.submission import Submission, submission_of
from airflow_oauth_provider.plugin.using import readable_uses


def add_editing(app: FastAPI) -> None:
    """Add the routes."""
    app.get("/new", dependencies=[Depends(access.require_creation)])(show_new)
    app.get("/edit/{connection_id:path}", dependencies=[Depends(access.requires_access("GET"))])(show_edit)
    for path, allowed, endpoint in (
        ("/create", access.require_creation, create_connection),
        ("/edit/{connection_id:path}", access.requires_access("PUT"), edit_connection),
    ):
        checks: list[Callable[..., Any]] = [
            *(refuse_other_sites, require_size, allowed, require_object),
        ]
        app.post(path, dependencies=[Depends(check) for check in checks])(endpoint)


def show_new(request: Request, user: access.GetUserDep, preset: str = "", tenant: str = "") -> Response:
    """Show the empty form, or what a preset fills in."""
    known = presets().get(preset)
    problem, values = "", {}
    if known is not None:
        try:
            values = preset_values(known, tenant.strip())
        except ConfigurationError as error:
            problem, values = error.message, preset_values(known, None)
    values.setdefault("category", FormValue(read_policy().default_category or ""))
    return page_response(
        request,
        "form.html",
        **_form(user, values, known.asks if known else {}),
        conn_id=None,
        uses=None,
        digest="",
        name=FormField(NAME, FormValue()),
        presets=presets().values(),
        preset=known,
        tenant=tenant,
        tenant_problem=problem,
    )


def show_edit(request: Request, user: access.GetUserDep, connection_id: str) -> Response:
    """Show the form of a stored connection, without its secrets."""
    connection = existing(connection_id)
    access.require_editing(connection, user)
    try:
        stored = saving.editable(connection_id)
        values = form_values(stored)
    except ConfigurationError as error:
        raise PageError(409, "Not to be edited here", str(error)) from None
    return page_response(
        request,
        "form.html",
        **_form(user, values, {}),
        conn_id=connection_id,
        uses=readable_uses(connection, user, read_policy()),
        digest=stored.digest(access.digest_key()),
        name=None,
        presets=(),
        preset=None,
        tenant="",
        tenant_problem="",
    )


def _form(user: Any, values: dict[str, FormValue], hints: Any) -> dict[str, Any]:
    policy = read_policy()
    stored = access.find_connections()
    readable = access.authorized(stored, user, "GET")
    named = {category_of(connection, policy) for connection in stored if connection.conn_id in readable}
    return {
        "sections": sections(values, hints),
        "categories": sorted(filter(None, named), key=str.casefold),
        "needs": method_needs(),
        "longest_name": MAX_NAME,
        "testing": access.testing_enabled(),
        "commands": access.HAS_COMMANDS,
    }


async def create_connection(request: Request, user: access.GetUserDep) -> Response:
    """Save a new connection, and authorize it."""
    body = await request.json()

    def work() -> Response:
        submission = submission_of(body)
        name = submission.fields.pop(NAME.key, None)
        conn_id = name.strip() if isinstance(name, str) else ""
        access.log_change("oauth2_create", user, conn_id, [NAME.key, *submission.names])
        values, faults = _new(conn_id, submission)
        return _saved(values, saving.save_new, faults)

    return await _respond(request, work)


def _new(conn_id: str, submission: Submission) -> tuple[ConnectionValues, Faults]:
    """Put a new connection together; return it with what is wrong so far."""
    faults = Faults()
    with faults.gathered():
        require_name(conn_id)
    given = entered(submission.fields, faults, submission.files)
    fields, host, tenant = given.fields, given.host, submission.tenant.strip() or None
    if submission.preset:
        preset = preset_named(submission.preset)
        for key, hint in preset.missing(fields, host, tenant).items():
            if key not in faults.by_field:
                faults.add(ConfigurationError(preset.reason(hint), field=key))
        fields.update(filled_in(preset, fields))
    if host and (tenant := tenant or fields.get("tenant")):
        with faults.gathered("host"):
            host = tenant_named(host, tenant, fields)
    elif "tenant" in faults.by_field:
        faults.unknown.add("host")  # it still has the placeholder
    return new_connection(conn_id, replace(given, host=host)), faults


async def edit_connection(request: Request, user: access.GetUserDep, connection_id: str) -> Response:
    """Save what somebody has changed of a connection, and authorize it."""
    body = await request.json()

    def work() -> Response:
        submission = submission_of(body)
        access.log_change("oauth2_edit", user, connection_id, submission.names)
        existing(connection_id)
        stored = saving.editable(connection_id)
        digest = stored.digest(access.digest_key())
        if submission.digest != digest:
            return _conflict(digest)
        before = ConnectionValues.of(stored)
        faults = Faults()
        given = entered(submission.fields, faults, submission.files, stored_fields(before))
        edit = edit_of(before, given)
        if edit.required is not None:
            again = dict.fromkeys(edit.required.missing, "Enter it again.")
            again[edit.required.missing[0]] = edit.required.message
            faults.by_field = again | faults.by_field
        return _saved(edit.values, partial(saving.replace, stored), faults)

    return await _respond(request, work)


async def _respond(request: Request, work: Callable[[], Response]) -> Response:
    response: Response = await done(request, lambda: _refusable(work))
    return response


def _refusable(work: Callable[[], Response]) -> Response:
    """Do *work*; of what is wrong say at which field."""
    try:
        return work()
    except saving.ChangedMeanwhileError as error:  # in the moment between reading and saving
        stored = access.find_connection(error.conn_id or "")
        return _conflict(stored.digest(access.digest_key()) if stored else "")
    except ConfigurationError as error:
        return _wrong(error)
    except OAuthError as error:  # of the database
        text = f"Nothing is saved: it {error.message}. The log of Airflow's API server says why."
        return JSONResponse({"ok": False, "saved": False, "message": text, "field": None}, 500)


def _wrong(error: ConfigurationError) -> Response:
    """Say what is wrong: of the field that comes first, and of all by field."""
    wrong = dict(error.wrong) if isinstance(error, WrongFieldsError) else {}
    wrong = wrong or ({error.field: error.message} if error.field else {})
    message = str(ConfigurationError(error.message, field=error.field))
    content = {"ok": False, "saved": False, "message": message, "field": error.field, "wrong": wrong}
    return JSONResponse({**content, "text": error.message}, 422)


def _conflict(digest: str) -> Response:
    text = (
        "Somebody else has changed this connection since you opened it. Nothing is saved, and what you have "
        "entered is still here: see what is stored now, then save your changes on top of it."
    )
    return JSONResponse({"ok": False, "saved": False, "message": text, "field": None, "digest": digest}, 409)


def _saved(values: ConnectionValues, save: Callable[[ConnectionValues], None], faults: Faults) -> Response:
    """Save a connection, then authorize it where that is allowed; one that is refused stays saved.

    :param faults: what is known to be wrong; then nothing is saved.
    """
    saving.checked_and_saved(values, save, faults)
    conn_id = values.conn_id
    if not access.testing_enabled():
        text = "Saved, and not authorized: [core] test_connection of airflow.cfg is not Enabled."
        text += f" Run: airflow oauth2 check {conn_id}" if access.HAS_COMMANDS else ""
        return _ended(conn_id, text, ok=True)
    result = authorize(existing(conn_id))
    if result.error is None:
        return _ended(conn_id, f"Saved. {result.message}", ok=True)
    text = f"Saved, but {result.headline[:1].lower()}{result.headline[1:]}. {remedy(result.error)}"
    return _ended(conn_id, text, ok=False)


def _ended(conn_id: str, text: str, *, ok: bool) -> Response:
    return JSONResponse({"ok": ok, "saved": True, "message": f"{conn_id}: {text}", "field": None})
