"""The certified authorization server ``oidc-provider`` on Node, with a client for each method."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, Self

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from tests.support.servers.node import node_program

LIFETIME = 240
RESOURCE = "https://api.example/orders"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
AWKWARD_ID = "client:with/strange+id %"
AWKWARD_SECRET = "p%C3 +&=/?:;~\"'<>"


@dataclass(frozen=True)
class Client:
    """One registered client.

    :param method: its ``token_endpoint_auth_method``.
    :param private_key: PEM, for ``private_key_jwt``.
    """

    client_id: str
    method: str
    secret: str | None = None
    private_key: str | None = None
    algorithm: str | None = None


class OidcServer:
    """Start the server for a ``with`` block."""

    def __init__(self) -> None:
        self.clients: dict[str, Client] = {}
        self._registrations: list[dict[str, Any]] = []
        self._register()

    def __enter__(self) -> Self:
        options = {"clients": self._registrations, "lifetime": LIFETIME, "resource": RESOURCE}
        self._program = node_program("server.mjs", options)
        self.issuer: str = self._program.__enter__().started["issuer"]
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    def requests(self) -> list[dict[str, Any]]:
        """Return the token requests since the last :meth:`reset`, as the server saw them."""
        recorded: list[dict[str, Any]] = requests.get(f"{self.issuer}/_test/requests", timeout=60).json()
        return [request for request in recorded if request["path"] == "/token"]

    def reset(self) -> None:
        requests.delete(f"{self.issuer}/_test/requests", timeout=60)

    def introspect(self, token: str) -> dict[str, Any]:
        """Ask the server itself what a token is (RFC 7662)."""
        client = self.clients["basic"]
        response = requests.post(
            f"{self.issuer}/token/introspection",
            {"token": token},
            auth=(client.client_id, client.secret or ""),
            timeout=60,
        )
        issued: dict[str, Any] = response.json()
        return issued

    def _register(self) -> None:
        self._add("basic", "basic-client", "client_secret_basic", "basic-secret-value")
        self._add("post", "post-client", "client_secret_post", "post-secret-value")
        self._add("jwt", "jwt-client", "client_secret_jwt", secrets.token_urlsafe(48))
        self._add("awkward", AWKWARD_ID, "client_secret_basic", AWKWARD_SECRET)
        expired = int(time.time()) - 60
        self._add(
            "expired",
            "expired-client",
            "client_secret_post",
            "old-secret-value",
            client_secret_expires_at=expired,
        )
        for algorithm in ALGORITHMS:
            self._add_key(algorithm)

    def _add(self, name: str, client_id: str, method: str, secret: str | None = None, **more: Any) -> None:
        self.clients.setdefault(name, Client(client_id, method, secret))
        self._registrations.append(
            {
                "client_id": client_id,
                "token_endpoint_auth_method": method,
                "grant_types": ["client_credentials"],
                "response_types": [],
                "redirect_uris": [],
                "scope": "read write",
                **({"client_secret": secret} if secret else {}),
                **more,
            }
        )

    def _add_key(self, algorithm: str) -> None:
        key = _new_key(algorithm)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        client_id = f"{algorithm.lower()}-client"
        self.clients[algorithm] = Client(client_id, "private_key_jwt", None, pem, algorithm)
        public: Any = key.public_key()
        jwk = get_default_algorithms()[algorithm].to_jwk(public, as_dict=True)
        jwk |= {"use": "sig", "alg": algorithm, "kid": f"{algorithm}-1"}
        jwk.pop("key_ops", None)
        self._add(
            algorithm,
            client_id,
            "private_key_jwt",
            jwks={"keys": [jwk]},
            token_endpoint_auth_signing_alg=algorithm,
        )


def _new_key(algorithm: str) -> Any:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
