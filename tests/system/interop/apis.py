"""APIs that others wrote the protection of, and a call to each with each kind of token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.plain_client import session
from tests.support.servers.strict_servers import TLS_METHODS
from tests.support.sides import Side
from tests.system.interop.deployments import DJANGO, OIDC, Deployment
from tests.system.interop.features import WORKS
from tests.system.interop.tables import NOT_OFFERED, Table

EXPRESS, APACHE = "express-oauth2-jwt-bearer", "mod_oauth2"
BEARER, PROOF, BOUND = "Bearer", "DPoP", "bound to certificate"
ISSUER_OF = {EXPRESS: OIDC, APACHE: OIDC, DJANGO: DJANGO}
KINDS = (BEARER, PROOF, BOUND)
#: In the metadata of a protected resource (RFC 9728 §2).
_METADATA = {PROOF: "dpop_signing_alg_values_supported", BOUND: "tls_client_certificate_bound_access_tokens"}


@dataclass(frozen=True)
class Api:
    """One API for one kind of token.

    :param base_url: below which its paths are.
    :param orders: path of what it protects.
    :param moved: path of a redirect to it; ``None`` where there is none.
    :param posts: whether it takes a POST.
    """

    base_url: str
    orders: str
    moved: str | None = None
    posts: bool = False
    offered: bool = True


def express(url: str, kind: str) -> Api:
    """Return the API on Express."""
    path = {BEARER: "any", PROOF: "dpop", BOUND: "bound"}[kind]
    return Api(f"{url}/standard/{path}", "orders", "moved", posts=True)


def apache(url: str, kind: str) -> Api:
    """Return the files behind Apache."""
    path = {BEARER: "bearer", PROOF: "dpop", BOUND: "bound"}[kind]
    return Api(f"{url}/{path}", "orders.json", "moved")


def django(url: str, kind: str, authority: str) -> Api:
    """Return Django's, which publishes what it takes (RFC 9728)."""
    document = (
        session(authority).get(f"{url}/.well-known/oauth-protected-resource/api/orders", timeout=60).json()
    )
    offered = kind == BEARER or bool(document.get(_METADATA[kind]))
    return Api(f"{url}/api", "orders", offered=offered)


def hooks(deployment: Deployment, api: Api, kind: str) -> list[OAuth2Hook]:
    """Return a hook for each way to get a token of that kind."""
    changes: dict[str, Any] = {"base_url": api.base_url}
    if deployment.name == OIDC:
        changes["resource"] = [deployment.resource]
    if kind == PROOF:
        changes["dpop"] = True
    clients: tuple[str, ...] = ("client_secret_basic",)
    if kind == BOUND:
        clients = TLS_METHODS
    return [deployment.hook(client, **changes) for client in clients]


def _call(side: Side, hook: OAuth2Hook, api: Api) -> None:
    assert "orders" in side.run(hook, api.orders).text or side.run(hook, api.orders).json()["client"]


def _query(side: Side, hook: OAuth2Hook, api: Api) -> None:
    """A proof's ``htu`` is without the query (RFC 9449 §4.2)."""
    assert side.run(hook, f"{api.orders}?page=2&q=a%20b").status_code == 200


def _redirect(side: Side, hook: OAuth2Hook, api: Api) -> None:
    """A proof is for one URL: the redirected request has one of its own."""
    response = side.run(hook, api.moved)
    assert response.status_code == 200
    assert response.url.endswith(api.orders)


def _post(side: Side, hook: OAuth2Hook, api: Api) -> None:
    hook.method = "POST"
    assert side.run(hook, api.orders, json={"id": 4}).json()["method"] == "POST"


COLUMNS: dict[str, tuple[Callable[[Side, OAuth2Hook, Api], None], Callable[[Api], bool]]] = {
    "call": (_call, lambda _: True),
    "with a query": (_query, lambda _: True),
    "redirected": (_redirect, lambda api: api.moved is not None),
    "POST": (_post, lambda api: api.posts),
}
APIS_TABLE = Table(
    "apis",
    ("API", "token"),
    tuple((api, kind) for api in ISSUER_OF for kind in KINDS),
    tuple(COLUMNS),
)
NO_SUCH_PATH = "-"


def outcome(deployment: Deployment, api: Api, kind: str, column: str, sides: list[Side]) -> str:
    """Return what the cell says: the calls go by threads and by coroutines."""
    run, possible = COLUMNS[column]
    if not api.offered:
        return NOT_OFFERED
    if not possible(api):
        return NO_SUCH_PATH
    for hook in hooks(deployment, api, kind):
        hook.method = "GET"
        for side in sides:
            run(side, hook, api)
    return WORKS
