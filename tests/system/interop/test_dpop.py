"""DPoP against an authorization server and APIs that we did not write.

``oidc-provider`` wants a nonce in each proof; ``express-oauth2-jwt-bearer`` and ``mod_oauth2`` check proofs
and the binding of tokens.
"""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.manager import shared
from tests.protocol.dpop.test_proof_key import pem
from tests.support.servers.apache_server import Apache
from tests.support.servers.strict_servers import RESOURCE, StrictServers
from tests.support.sides import Side
from tests.system.interop.deployments import FAPI, OIDC, strict_deployment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CLIENTS = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "RS256", "ES384", "Ed25519")


@pytest.fixture(autouse=True)
def _fresh(strict: StrictServers) -> None:
    shared.clear()
    strict.reset()


def hook_of(strict: StrictServers, client: str, base_url: str, **changes: Any) -> OAuth2Hook:
    extra = {"dpop": True, "resource": [RESOURCE], "base_url": base_url, **changes}
    hook = strict_deployment(OIDC, strict.standard).hook(client, **extra)
    hook.method = "GET"
    return hook


@pytest.mark.fault("H12")
@pytest.mark.parametrize("client", CLIENTS)
def test_a_bound_token_with_the_nonce_it_asks_for(strict: StrictServers, side: Side, client: str) -> None:
    hook = hook_of(strict, client, f"{strict.api}/standard/dpop")
    token = side.token(hook)
    assert token.token_type == "DPoP"
    assert [request["status"] for request in strict.standard.requests()] == [400, 200]
    orders = side.run(hook, "orders").json()
    assert orders["client"] == strict.standard.clients[client].client_id
    assert orders["cnf"].keys() == {"jkt"}
    side.call(hook, "get_token", force=True)
    statuses = [request["status"] for request in strict.standard.requests()]
    assert statuses == [400, 200, 200], "the nonce is kept"


def test_each_call_is_proved_through_redirects_and_pages(strict: StrictServers, side: Side) -> None:
    hook = hook_of(strict, "client_secret_basic", strict.api)
    assert side.run(hook, "standard/dpop/moved").json()["method"] == "GET"
    page: str | None = "/standard/dpop/pages/1"
    while page is not None:
        page = side.run(hook, page).json()["next"]
    calls = strict.api_calls()
    assert [call["status"] for call in calls] == [307, 200, 200, 200, 200]
    assert len({call["headers"]["dpop"] for call in calls}) == 5


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_with_every_method(strict: StrictServers, side: Side, method: str) -> None:
    hook = hook_of(strict, "client_secret_post", f"{strict.api}/standard/dpop")
    hook.method = method
    assert side.run(hook, "orders?x=1").json()["method"] == method


def test_a_key_of_the_connection(strict: StrictServers, side: Side) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    key = pem(ec.generate_private_key(ec.SECP256R1()))
    hook = hook_of(strict, "client_secret_basic", f"{strict.api}/standard/dpop", private_key=key)
    first = side.run(hook, "orders").json()["cnf"]
    side.call(hook, "get_token", force=True)
    assert side.run(hook, "orders").json()["cnf"] == first


def test_an_api_that_takes_only_bound_tokens_says_so(strict: StrictServers, side: Side) -> None:
    hook = hook_of(strict, "client_secret_basic", f"{strict.api}/standard/dpop", dpop=False)
    with pytest.raises(ResourceError) as caught:
        side.run(hook, "orders")
    assert "DPoP" in str(caught.value)


def test_the_profile_fapi_2(strict: StrictServers, side: Side) -> None:
    deployment = strict_deployment(FAPI, strict.fapi)
    hook = deployment.hook("PS256", discovery=True, resource=[RESOURCE], base_url=f"{strict.api}/fapi/dpop")
    hook.method = "GET"
    assert side.run(hook, "orders").json()["cnf"].keys() == {"jkt"}


def test_introspection_and_revocation(strict: StrictServers, side: Side) -> None:
    hook = hook_of(strict, "client_secret_basic", f"{strict.api}/standard/dpop", resource=[], discovery=True)
    side.token(hook)
    about = side.call(hook, "introspect")
    assert (about["active"], about["token_type"]) == (True, "DPoP")
    assert side.call(hook, "revoke") is True


def test_an_api_behind_apache(strict: StrictServers, apache: Apache, side: Side) -> None:
    hook = hook_of(strict, "client_secret_basic", f"{apache.url}/dpop")
    assert side.run(hook, "orders.json").json()["kind"] == "dpop"
    assert side.run(hook, "moved").json()["kind"] == "dpop"
