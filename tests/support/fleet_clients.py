"""What one process of a fleet gets its token by: this package, or a library to compare with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.fleet import Task


def _ours(task: Task, leaders: int) -> Callable[[], str]:
    """Announce when the server is about to be asked."""
    from airflow.sdk import Connection

    from airflow_oauth_provider.tokens.stores import redis_store

    redis_store.OPERATION_TIMEOUT = task.store_seconds or redis_store.OPERATION_TIMEOUT
    from airflow_oauth_provider.client.oauth2_client import OAuth2Client
    from airflow_oauth_provider.connection.token_parameters import chosen_parameters
    from airflow_oauth_provider.tokens.single_flight import Flight

    fetch = Flight.fetch

    def announced(flight: Flight) -> Any:
        os.write(leaders, f"{os.getpid()}\n".encode())
        return fetch(flight)

    Flight.fetch = announced  # type: ignore[assignment,method-assign]
    if task.notes is not None:
        _note_waits(task)
    given = {**task.connection, "extra": json.dumps(task.connection["extra"])}
    connection = Connection(conn_id="fleet", **given)
    if task.endpoint is not None:
        return _calling(connection, task.endpoint)
    parameters = chosen_parameters("fleet", task.scope)
    client = OAuth2Client("fleet", connection, parameters=parameters)
    return lambda: client.get_token().value


def note(task: Task, what: str) -> None:
    """Append a line, whole whoever else does."""
    if task.notes is None:
        return
    with open(task.notes, "ab", buffering=0) as notes:  # noqa: PTH123
        notes.write(f"{what}\n".encode())


def _note_waits(task: Task) -> None:
    """Note that a search has begun: what is shared from then on concerns it."""
    from airflow_oauth_provider.tokens import shared_acquisition

    class Noted(shared_acquisition._Wait):
        def __init__(self, search: shared_acquisition.Search) -> None:
            super().__init__(search)
            note(task, "waits")

    shared_acquisition._Wait = Noted  # type: ignore[misc]


def _calling(connection: Any, endpoint: str) -> Callable[[], str]:
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    hook = OAuth2Hook("fleet", "GET", connection=connection)

    def call() -> str:
        hook.run(endpoint)
        return hook.get_token().value

    return call


def _authlib(task: Task, _: int) -> Callable[[], str]:
    from authlib.integrations.requests_client import OAuth2Session

    given = task.connection
    session = OAuth2Session(given["login"], given["password"], token_endpoint=given["host"])

    def get_token() -> str:
        if session.token is None:
            session.fetch_token(grant_type="client_credentials")
        session.ensure_active_token(session.token)
        return str(session.token["access_token"])

    return get_token


def _requests_oauth2client(task: Task, _: int) -> Callable[[], str]:
    from requests_oauth2client import OAuth2Client, OAuth2ClientCredentialsAuth

    given = task.connection
    client = OAuth2Client(
        given["host"], client_id=given["login"], client_secret=given["password"], testing=True
    )
    auth = OAuth2ClientCredentialsAuth(client)

    def get_token() -> str:
        if auth.token is None or auth.token.is_expired():
            auth.renew_token()
        return str(auth.token.access_token)

    return get_token


LIBRARIES: dict[str, Callable[[Task, int], Callable[[], str]]] = {
    "ours": _ours,
    "authlib": _authlib,
    "requests_oauth2client": _requests_oauth2client,
}
