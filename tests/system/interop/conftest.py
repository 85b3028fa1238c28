"""The servers, started once for all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from airflow_oauth_provider.tokens.manager import shared
from tests.conftest import require_server
from tests.support.servers import strict_servers
from tests.support.servers.apache_server import Apache
from tests.support.servers.authlib_server import AuthlibServer
from tests.support.servers.certificates import issue
from tests.support.servers.django_server import DjangoServer
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.strict_servers import StrictServers
from tests.system.interop.deployments import (
    AUTHLIB,
    FAPI,
    OIDC,
    WORKLOADS,
    Deployment,
    authlib_deployment,
    django_deployment,
    strict_deployment,
)


@pytest.fixture(scope="session")
def _started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack
    shutil.rmtree(WORKLOADS, ignore_errors=True)


@pytest.fixture(scope="session")
def strict(_started: ExitStack) -> StrictServers:
    try:
        return _started.enter_context(StrictServers())
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture(scope="session")
def apache(_started: ExitStack, strict: StrictServers) -> Apache:
    try:
        tls = issue(strict_servers.CERTIFICATE_AUTHORITY)
        return _started.enter_context(Apache(tls, strict.standard.metadata()["jwks_uri"]))
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture(scope="session")
def django(_started: ExitStack) -> DjangoServer:
    try:
        return _started.enter_context(DjangoServer())
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture(scope="session")
def authlib(_started: ExitStack) -> AuthlibServer:
    return _started.enter_context(AuthlibServer())


@pytest.fixture(scope="session")
def _deployments() -> dict[str, Deployment]:
    return {}


@pytest.fixture
def deployment(
    request: pytest.FixtureRequest, _deployments: dict[str, Deployment], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """The server that the parameter names, started when first needed, with nothing remembered."""
    name: str = request.param
    if name not in _deployments:
        if name in {OIDC, FAPI}:
            servers: StrictServers = request.getfixturevalue("strict")
            chosen = servers.standard if name == OIDC else servers.fapi
            _deployments[name] = strict_deployment(name, chosen)
        elif name == AUTHLIB:
            _deployments[name] = authlib_deployment(request.getfixturevalue("authlib"))
        else:
            _deployments[name] = django_deployment(request.getfixturevalue("django"))
    chosen_deployment = _deployments[name]
    _allow_workloads(chosen_deployment, monkeypatch)
    shared.clear()
    chosen_deployment.server.reset()
    yield chosen_deployment
    shared.clear()


def _allow_workloads(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``airflow.cfg`` allow what an assertion file needs, and the machine trust the server."""
    authority = WORKLOADS / f"{deployment.name}.pem"
    authority.write_text(deployment.authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.setenv("AIRFLOW__OAUTH2__ASSERTION_FOLDERS", str(WORKLOADS))
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "127.0.0.1")
