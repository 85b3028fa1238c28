"""The servers refuse what the tables rely on their refusing: asked by a plain client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.support.plain_client import ProofKey, session
from tests.support.servers.apache_server import Apache
from tests.support.servers.strict_servers import CERTIFICATE_AUTHORITY, RESOURCE, StrictServer, StrictServers
from tests.system.interop.apis import APACHE, EXPRESS

pytestmark = pytest.mark.slow
AUTHORITY = CERTIFICATE_AUTHORITY.certificate


@dataclass
class Holder:
    """Whoever got a token, and what it is bound to."""

    connection: requests.Session
    token: str
    key: ProofKey = field(default_factory=ProofKey)

    def call(self, url: str, *, method: str = "GET", **changes: Any) -> requests.Response:
        """Call an API with the token and a proof, of which *changes* replace a part."""
        proof = {"method": method, "url": url, "token": self.token, **changes}
        key: ProofKey = proof.pop("key", self.key)
        headers = {
            "Authorization": f"{proof.pop('scheme', 'DPoP')} {self.token}",
            "DPoP": key.proof(proof.pop("method"), proof.pop("url"), **proof),
        }
        return self.connection.request(method, url, headers=headers, timeout=60)


def ask(server: StrictServer, client: str, *, shown: str | None = None, **headers: str) -> requests.Response:
    """Ask for a token as a client that authenticates with Basic, or with a certificate.

    :param shown: name of the client whose certificate is shown, if it is another.
    """
    registered = server.clients[client]
    certified = server.clients[shown or client]
    form = {"grant_type": "client_credentials", "scope": "read", "resource": RESOURCE}
    auth = (registered.client_id, registered.secret) if registered.secret else None
    if auth is None:
        form["client_id"] = registered.client_id
    return session(AUTHORITY, certified.certificate, certified.private_key).post(
        f"{server.alias}/token", form, auth=auth, headers=headers, timeout=60
    )


@pytest.fixture
def bound_to_key(strict: StrictServers) -> Holder:
    key, url = ProofKey(), f"{strict.standard.alias}/token"
    nonce = ask(strict.standard, "client_secret_basic", DPoP=key.proof("POST", url)).headers["DPoP-Nonce"]
    granted = ask(strict.standard, "client_secret_basic", DPoP=key.proof("POST", url, nonce=nonce)).json()
    assert granted["token_type"] == "DPoP"
    return Holder(session(AUTHORITY), granted["access_token"], key)


@pytest.fixture
def places(strict: StrictServers, apache: Apache) -> dict[str, str]:
    return {EXPRESS: f"{strict.api}/standard/dpop/orders", APACHE: f"{apache.url}/dpop/orders.json"}


@pytest.mark.parametrize("api", [EXPRESS, APACHE])
def test_a_proof_that_is_right(api: str, places: dict[str, str], bound_to_key: Holder) -> None:
    assert bound_to_key.call(places[api]).status_code == 200


@pytest.mark.parametrize("api", [EXPRESS, APACHE])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scheme": "Bearer"}, id="as-bearer"),
        pytest.param({"url": "https://127.0.0.1/elsewhere"}, id="of-another-url"),
        pytest.param({"method": "POST"}, id="of-another-method"),
        pytest.param({"key": ProofKey()}, id="of-another-key"),
    ],
)
def test_a_wrong_proof(
    api: str, changes: dict[str, Any], places: dict[str, str], bound_to_key: Holder
) -> None:
    proof = {"url": places[api], "method": "GET", **changes}
    scheme, key = proof.pop("scheme", "DPoP"), proof.pop("key", bound_to_key.key)
    headers = {
        "Authorization": f"{scheme} {bound_to_key.token}",
        "DPoP": key.proof(proof["method"], proof["url"], token=bound_to_key.token),
    }
    response = bound_to_key.connection.get(places[api], headers=headers, timeout=60)
    assert response.status_code in {400, 401}
    assert response.headers["WWW-Authenticate"]


def test_one_without_the_token_s_digest(places: dict[str, str], bound_to_key: Holder) -> None:
    """Apache's module of Debian does not look for it."""
    assert bound_to_key.call(places[EXPRESS], token=None).status_code == 400


def test_one_that_was_used(places: dict[str, str], bound_to_key: Holder) -> None:
    """The Express middleware remembers none."""
    url = places[APACHE]
    headers = {
        "Authorization": f"DPoP {bound_to_key.token}",
        "DPoP": bound_to_key.key.proof("GET", url, token=bound_to_key.token),
    }
    statuses = [bound_to_key.connection.get(url, headers=headers, timeout=60).status_code for _ in range(2)]
    assert statuses == [200, 401]


@pytest.mark.parametrize("nonce", [None, "made-up"], ids=["without-a-nonce", "made-up-nonce"])
def test_the_authorization_server_wants_a_nonce(strict: StrictServers, nonce: str | None) -> None:
    proof = ProofKey().proof("POST", f"{strict.standard.alias}/token", nonce=nonce)
    refused = ask(strict.standard, "client_secret_basic", DPoP=proof)
    assert (refused.status_code, refused.json()["error"]) == (400, "use_dpop_nonce")
    assert refused.headers["DPoP-Nonce"]


@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
@pytest.mark.parametrize("shown", ["client_secret_basic", "another"], ids=["none", "another"])
def test_a_certificate_that_is_not_the_client_s(strict: StrictServers, method: str, shown: str) -> None:
    others = {"tls_client_auth", "self_signed_tls_client_auth"} - {method}
    refused = ask(strict.standard, method, shown=others.pop() if shown == "another" else shown)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("api", [EXPRESS, APACHE])
@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_token_bound_to_a_certificate(strict: StrictServers, apache: Apache, api: str, method: str) -> None:
    token = ask(strict.standard, method).json()["access_token"]
    url = {EXPRESS: f"{strict.api}/standard/bound/orders", APACHE: f"{apache.url}/bound/orders.json"}[api]
    (other,) = {"tls_client_auth", "self_signed_tls_client_auth"} - {method}

    def status(client: str | None) -> int:
        shown = strict.standard.clients[client] if client else None
        connection = session(AUTHORITY, shown.certificate, shown.private_key) if shown else session(AUTHORITY)
        headers = {"Authorization": f"Bearer {token}"}
        return connection.get(url, headers=headers, timeout=60).status_code

    assert status(method) == 200
    assert {status(None), status(other)} <= {400, 401}
