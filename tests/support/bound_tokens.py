"""A service behind mutual TLS, whose tokens are bound to the client's certificate (RFC 8705 §3)."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_oauth_provider.tokens.manager import shared
from tests.support.servers.certificates import Issued, authority, demanding_context, issue, server_context
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, ScriptedServer, token_json
from tests.support.service import Service, echo

SERVERS = authority("Servers")
CLIENTS = authority("Clients")


def thumbprint(request: RecordedRequest) -> str:
    """Return ``x5t#S256`` of what the client has presented."""
    digest = hashlib.sha256(request.certificate or b"").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class BoundTokens:
    """Grants tokens to whoever presents a certificate, and accepts each with its own certificate only."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._bound: dict[str, str] = {}

    def token(self, request: RecordedRequest) -> ScriptedResponse:
        form = request.form
        if form.get("client_id") != ["my-client"] or "client_secret" in form or "client_assertion" in form:
            return Json({"error": "invalid_client"}, 401)
        value = f"tok-{next(self._numbers)}"
        self._bound[value] = thumbprint(request)
        return token_json(value)

    def api(self, request: RecordedRequest) -> ScriptedResponse:
        token = (request.header("Authorization") or "").removeprefix("Bearer ")
        if self._bound.get(token) != thumbprint(request):
            return Json({}, 401, [("WWW-Authenticate", 'Bearer error="invalid_token"')])
        return echo(request)


@contextmanager
def bound_service(folder: Path, *clients: str, **options: Any) -> Iterator[Service]:
    """Start one that wants a certificate for every connection.

    :param clients: PEM of whose certificates are accepted; none for those that ``Clients`` has issued.
    """
    shared.clear()
    context = demanding_context(issue(SERVERS), folder, *(clients or (CLIENTS.certificate,)))
    with ScriptedServer(context) as server:
        bound = BoundTokens()
        yield Service(server, **{"token": bound.token, "api": bound.api, **options})
    shared.clear()


@contextmanager
def asking_server(folder: Path) -> Iterator[ScriptedServer]:
    """Start one that asks for a certificate, and does without; ``ca.pem`` in the folder verifies it."""
    folder.mkdir()
    (folder / "ca.pem").write_text(SERVERS.certificate)
    context = server_context(issue(SERVERS), folder, ask_for_client_certificate=True)
    context.load_verify_locations(cadata=CLIENTS.certificate)
    with ScriptedServer(context) as server:
        yield server


def certified(issued: Issued, **changes: Any) -> dict[str, Any]:
    """Return what a connection with a client certificate has."""
    return {
        "auth_method": "tls_client_auth",
        "password": None,
        "private_key": issued.key,
        "certificate": issued.certificate,
        "ca_certificates": SERVERS.certificate,
        **changes,
    }
