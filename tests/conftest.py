"""Fixtures: real servers, and an environment that says nothing of its own."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from typing import NoReturn

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
# Tests of stores choose theirs; all others must not find each other's tokens.
os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
for _name in (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "NETRC",
):
    os.environ.pop(_name, None)
    os.environ.pop(_name.lower(), None)

from tests.hooks.sides import Coroutines, Side, Threads  # noqa: E402
from tests.servers.oidc_server import OidcServer, ServerMissingError  # noqa: E402
from tests.servers.redis_server import RedisServer  # noqa: E402
from tests.servers.scripted import ScriptedServer  # noqa: E402
from tests.service import Service, running_service  # noqa: E402


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def unused_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running


def require_server(reason: str) -> NoReturn:
    """Skip where a server is missing; under CI that is a failure, since CI installs them."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have this server: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def oidc() -> Iterator[OidcServer]:
    try:
        with OidcServer() as server:
            yield server
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture(scope="session")
def _redis() -> Iterator[RedisServer]:
    try:
        with RedisServer() as server:
            yield server
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture
def redis_server(_redis: RedisServer) -> Iterator[RedisServer]:
    """An empty one."""
    _redis.client().flushall()
    yield _redis
    _redis.thaw()


@pytest.fixture(params=["requests", "aiohttp"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Threads, then coroutines."""
    made = Threads() if request.param == "requests" else Coroutines()
    yield made
    made.close()


@pytest.fixture
def _fault() -> None:
    """Carry the ids of the marker ``fault`` into a test's own id."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Show the ids of the marker ``fault`` in the test's id, so that coverage can be counted by it."""
    ids = [fault for marker in metafunc.definition.iter_markers("fault") for fault in marker.args]
    if ids:
        metafunc.fixturenames.append("_fault")
        metafunc.parametrize("_fault", [None], ids=["+".join(dict.fromkeys(ids))], indirect=True)
