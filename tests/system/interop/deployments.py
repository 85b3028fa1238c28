"""The servers of the tables, each behind one face, and what a connection to it says."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from airflow.sdk import Connection

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.plain_client import assertion
from tests.support.servers import authlib_server, django_server, strict_servers
from tests.support.servers.authlib_server import AuthlibServer
from tests.support.servers.django_server import DjangoServer
from tests.support.servers.strict_servers import (
    ALGORITHMS,
    FAPI_ALGORITHMS,
    WORKLOAD,
    StrictClient,
    StrictServer,
)

OIDC, FAPI = "oidc-provider", "oidc-provider, FAPI 2.0"
DJANGO, AUTHLIB = "django-oauth-toolkit", "Authlib"
SERVERS = (OIDC, FAPI, DJANGO, AUTHLIB)
WORKLOAD_IDENTITY = "workload_identity"
#: Where platforms keep their assertions.
WORKLOADS = Path(tempfile.mkdtemp(prefix="workloads-"))
#: The algorithm of a server's ``private_key_jwt`` where the table is not about algorithms.
USUAL_ALGORITHM = {OIDC: "RS256", FAPI: "PS256", AUTHLIB: "RS256"}
REGISTERED_ALGORITHMS = {OIDC: ALGORITHMS, FAPI: FAPI_ALGORITHMS, DJANGO: (), AUTHLIB: ("RS256",)}


class Recording(Protocol):
    """A server that remembers what it was asked."""

    def requests(self, path: str = ...) -> list[dict[str, Any]]:
        """Return requests since the last reset."""

    def reset(self) -> None:
        """Forget them."""

    def metadata(self) -> dict[str, Any]:
        """Return what the server says of itself (RFC 8414)."""


@dataclass(frozen=True)
class Registration:
    """What a connection needs of one client."""

    login: str
    password: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Deployment:
    """One authorization server.

    :param token_url: where a connection that names no issuer sends its requests.
    :param alias: likewise, of clients that show a certificate.
    :param resource: for which it issues tokens.
    :param authority: PEM of the authority that has certified it.
    :param registrations: by the name of the client.
    :param vouched_by: key (PEM) and algorithm of the platform that vouches for the workload.
    """

    name: str
    server: Recording
    issuer: str
    token_url: str
    alias: str
    resource: str
    authority: str
    registrations: dict[str, Registration]
    vouched_by: tuple[str, str] = ("", "")

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What it says of itself."""
        return self.server.metadata()

    def client_of(self, method: str) -> str:
        """Return the name of the client that the tables of methods use."""
        if method == WORKLOAD_IDENTITY:
            return WORKLOAD
        return USUAL_ALGORITHM[self.name] if method == "private_key_jwt" else method

    def vouch(self, *, key: str | None = None) -> str:
        """Write an assertion about the workload, as a platform does; return its file.

        :param key: of somebody whom the server does not know.
        """
        known, algorithm = self.vouched_by
        form = assertion(WORKLOAD, self.issuer, key or known, algorithm)
        file = WORKLOADS / ("stranger" if key else self.name)
        file.write_text(form["client_assertion"])
        return str(file)

    def hook(self, client: str, *, discovery: bool = False, **changes: Any) -> OAuth2Hook:
        """Return a hook of a new connection; the parameters are those of :meth:`connection`."""
        return OAuth2Hook(connection=self.connection(client, discovery=discovery, **changes))

    def environment(self, client: str, **changes: Any) -> dict[str, Any]:
        """Return the same as ``AIRFLOW_CONN_…`` has it."""
        made = self.connection(client, **changes)
        names = ("conn_type", "host", "login", "password")
        return {**{name: getattr(made, name) for name in names}, "extra": made.extra_dejson}

    def connection(self, client: str, *, discovery: bool = False, **changes: Any) -> Connection:
        """Return a connection.

        :param changes: of the extra; ``password`` and ``base_url`` too.
        """
        registration = self.registrations[client]
        password = changes.pop("password", registration.password)
        if self.name == FAPI and client in FAPI_ALGORITHMS and not discovery:
            changes = {"jwt_audience": self.issuer, **changes}  # FAPI 2.0 takes no token URL
        if client == WORKLOAD:
            changes = {"assertion_file": self.vouch(), "ca_certificates": None, **changes}
        extra = {
            "scope": "read",
            "base_url": "https://api.example",
            "ca_certificates": self.authority,
            "discovery": discovery,
            **registration.extra,
            **changes,
        }
        return Connection(
            conn_id="interop",
            conn_type="oauth2_client_credentials",
            host=self.issuer if discovery else self._endpoint(registration),
            login=registration.login,
            password=password,
            extra=json.dumps(extra),
        )

    def _endpoint(self, registration: Registration) -> str:
        return self.alias if "certificate" in registration.extra else self.token_url


def strict_deployment(name: str, server: StrictServer) -> Deployment:
    """Describe one of the two ``oidc-provider``."""
    return Deployment(
        name,
        server,
        server.issuer,
        f"{server.issuer}/token",
        f"{server.alias}/token",
        strict_servers.RESOURCE,
        strict_servers.CERTIFICATE_AUTHORITY.certificate,
        {client: _strict_registration(name, registered) for client, registered in server.clients.items()},
        (server.clients[WORKLOAD].private_key or "", server.clients[WORKLOAD].algorithm or ""),
    )


def _strict_registration(server: str, client: StrictClient) -> Registration:
    if client.client_id == WORKLOAD:
        extra = {"auth_method": WORKLOAD_IDENTITY, **({"dpop": True} if server == FAPI else {})}
        return Registration(WORKLOAD, extra=extra)
    given = {
        "private_key": client.private_key,
        "certificate": client.certificate,
        "jwt_algorithm": client.algorithm,
        # FAPI 2.0 binds every token: to the certificate, or else to a key.
        "dpop": True if server == FAPI and client.certificate is None else None,
    }
    extra = {key: value for key, value in given.items() if value is not None}
    return Registration(client.client_id, client.secret, {"auth_method": client.method, **extra})


def django_deployment(server: DjangoServer) -> Deployment:
    """Describe ``django-oauth-toolkit``, where one client may use either method."""
    return Deployment(
        DJANGO,
        server,
        server.issuer,
        f"{server.issuer}/token/",
        f"{server.issuer}/token/",
        f"{server.url}/api/",
        django_server.CERTIFICATE_AUTHORITY.certificate,
        {
            method: Registration(django_server.CLIENT_ID, server.secret, {"auth_method": method})
            for method in ("client_secret_basic", "client_secret_post")
        },
    )


def authlib_deployment(server: AuthlibServer) -> Deployment:
    """Describe the server on Authlib."""
    registrations = {WORKLOAD: Registration(WORKLOAD, extra={"auth_method": WORKLOAD_IDENTITY})}
    for method in authlib_server.METHODS:
        client = server.clients[method]
        extra = {"auth_method": method, "private_key": client.private_key}
        name = USUAL_ALGORITHM[AUTHLIB] if method == "private_key_jwt" else method
        given = {key: value for key, value in extra.items() if value is not None}
        registrations[name] = Registration(client.client_id, client.secret, given)
    return Deployment(
        AUTHLIB,
        server,
        server.issuer,
        f"{server.issuer}/token",
        f"{server.issuer}/token",
        "https://api.example/orders",
        authlib_server.CERTIFICATE_AUTHORITY.certificate,
        registrations,
        (server.clients[WORKLOAD].private_key or "", "RS256"),
    )
