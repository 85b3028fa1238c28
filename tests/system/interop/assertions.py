"""What servers say to a client assertion: whom it is meant for (``aud``), and what it says it is (``typ``).

draft-ietf-oauth-rfc7523bis wants the issuer as one string, and ``client-authentication+jwt``. A plain client
sends all forms; what our own sends is decided by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.plain_client import ProofKey, assertion, session
from tests.system.interop.deployments import SERVERS, USUAL_ALGORITHM, Deployment
from tests.system.interop.tables import NOT_OFFERED, Table

METHODS = ("client_secret_jwt", "private_key_jwt")
TYPES = ("JWT", "client-authentication+jwt")
AUDIENCES = ("issuer", "token URL", "[issuer]", "[issuer, token URL]", "another server")

ASSERTIONS_TABLE = Table(
    "assertions",
    ("authorization server", "method", "typ"),
    tuple((server, method, typ) for server in SERVERS for method in METHODS for typ in TYPES),
    AUDIENCES,
)


@dataclass(frozen=True)
class Exchange:
    """A token request of the plain client.

    :param audience: one of :data:`AUDIENCES`.
    """

    deployment: Deployment
    method: str
    typ: str
    audience: str

    def outcome(self) -> str:
        """Return status and error of the server's response."""
        metadata = self.deployment.metadata
        if self.method not in metadata["token_endpoint_auth_methods_supported"]:
            return NOT_OFFERED
        response = self._send(ProofKey(), None)
        if nonce := response.headers.get("DPoP-Nonce"):
            response = self._send(ProofKey(), nonce)
        return f"{response.status_code} {response.json().get('error', '')}".strip()

    def _send(self, proof_key: ProofKey, nonce: str | None) -> Any:
        url = self.deployment.token_url
        headers = {"DPoP": proof_key.proof("POST", url, nonce=nonce)}
        form = {"grant_type": "client_credentials", "scope": "read", **self._assertion()}
        return session(self.deployment.authority).post(url, data=form, headers=headers, timeout=60)

    def _assertion(self) -> dict[str, str]:
        client = self.deployment.client_of(self.method)
        registration = self.deployment.registrations[client]
        key = registration.password or registration.extra["private_key"]
        algorithm = "HS256" if registration.password else USUAL_ALGORITHM[self.deployment.name]
        return assertion(registration.login, self._aud(), key, algorithm, typ=self.typ)

    def _aud(self) -> str | list[str]:
        issuer, url = self.deployment.issuer, self.deployment.token_url
        audiences: dict[str, str | list[str]] = {
            "issuer": issuer,
            "token URL": url,
            "[issuer]": [issuer],
            "[issuer, token URL]": [issuer, url],
            "another server": "https://another.example/token",
        }
        return audiences[self.audience]
