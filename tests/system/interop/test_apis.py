"""Each cell of the table of APIs, and a token that an API refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers.apache_server import Apache
from tests.support.servers.django_server import DjangoServer
from tests.support.servers.strict_servers import StrictServers
from tests.support.sides import Coroutines, Side, Threads
from tests.system.interop import apis
from tests.system.interop.apis import APACHE, APIS_TABLE, EXPRESS, ISSUER_OF, Api
from tests.system.interop.deployments import DJANGO, Deployment
from tests.system.interop.pages import hold
from tests.system.interop.tables import Cell

pytestmark = pytest.mark.slow


@pytest.fixture
def sides() -> Iterator[list[Side]]:
    made: list[Side] = [Threads(), Coroutines()]
    yield made
    for side in made:
        side.close()


def api_of(cell: Cell, deployment: Deployment, request: pytest.FixtureRequest) -> Api:
    name, kind = cell.row
    if name == EXPRESS:
        servers: StrictServers = request.getfixturevalue("strict")
        return apis.express(servers.api, kind)
    if name == APACHE:
        server: Apache = request.getfixturevalue("apache")
        return apis.apache(server.url, kind)
    toolkit: DjangoServer = request.getfixturevalue("django")
    return apis.django(toolkit.url, kind, deployment.authority)


@pytest.mark.parametrize(
    ("deployment", "cell"),
    [pytest.param(ISSUER_OF[cell.row[0]], cell, id=str(cell)) for cell in APIS_TABLE.cells()],
    indirect=["deployment"],
)
def test_a_call(
    deployment: Deployment, cell: Cell, sides: list[Side], request: pytest.FixtureRequest
) -> None:
    api = api_of(cell, deployment, request)
    hold(cell, apis.outcome(deployment, api, cell.row[1], cell.column, sides), request)


@pytest.mark.parametrize("deployment", [DJANGO], indirect=True)
def test_a_revoked_token_is_renewed_once(deployment: Deployment, django: DjangoServer, side: Side) -> None:
    """Somebody else revokes it: the API says so, and the call goes on with a new one."""
    hook = deployment.hook("client_secret_basic", base_url=f"{django.url}/api")
    hook.method = "GET"
    assert side.run(hook, "orders").json() == {"orders": [1, 2, 3]}
    refused = side.token(hook)
    other = deployment.hook("client_secret_post", discovery=True)
    assert other.revoke(refused.value) is True
    assert side.run(hook, "orders").json() == {"orders": [1, 2, 3]}
    assert side.token(hook).value != refused.value
    assert len(django.requests()) == 2
    assert [call["status"] for call in django.requests("/api/orders")] == [200, 401, 200]
