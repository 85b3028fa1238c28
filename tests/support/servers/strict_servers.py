"""What strict deployments run, none of it written here.

``oidc-provider`` with TLS, client certificates of both kinds, DPoP with required nonces, resource
indicators and rich authorization requests; the same with its profile FAPI 2.0; and an API that
``express-oauth2-jwt-bearer`` protects, with tokens of either.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Self

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from tests.support.plain_client import session
from tests.support.servers.certificates import authority, issue
from tests.support.servers.client_certificates import client_certificate, registered_jwk
from tests.support.servers.node import node_program

LIFETIME = 240
RESOURCE = "https://api.example/orders"
CERTIFICATE_AUTHORITY = authority("Strict CA")
SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
TLS_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
#: A client for which a platform vouches, with one assertion again and again.
WORKLOAD = "workload"
#: Ends the names of clients that show a certificate and bind their tokens to a key (DPoP) instead: this
#: server binds to one of them.
UNBOUND = "-unbound"
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
#: Of ``private_key_jwt``: what oidc-provider can, and what FAPI 2.0 leaves (Security Profile §5.4.1).
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES, "EdDSA", "Ed25519")
FAPI_ALGORITHMS = ("PS256", "ES256", "EdDSA", "Ed25519")


@dataclass(frozen=True)
class StrictClient:
    """One registered client.

    :param method: its ``token_endpoint_auth_method``.
    :param private_key: PEM: what signs its assertions, or belongs to its certificate.
    """

    client_id: str
    method: str
    secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    certificate: str | None = None
    algorithm: str | None = None


@dataclass
class StrictServer:
    """One authorization server.

    :param issuer: asks for no certificate.
    :param alias: origin of the endpoints that do (``mtls_endpoint_aliases``).
    """

    clients: dict[str, StrictClient]
    registrations: list[dict[str, Any]]
    issuer: str = ""
    alias: str = ""

    def requests(self, path: str = "/token") -> list[dict[str, Any]]:
        """Return what came in since the last :meth:`reset`, as the server saw it.

        :param path: the end of the path of those requests.
        """
        recorded: list[dict[str, Any]] = get(f"{self.issuer}/_test/requests").json()
        return [request for request in recorded if request["path"].endswith(path)]

    def reset(self) -> None:
        get(f"{self.issuer}/_test/requests", method="DELETE")

    def metadata(self) -> dict[str, Any]:
        document: dict[str, Any] = get(f"{self.issuer}/.well-known/openid-configuration").json()
        return document


class StrictServers:
    """Start all of them for a ``with`` block."""

    def __init__(self) -> None:
        self.standard = _standard_server()
        self.fapi = _fapi_server()

    def __enter__(self) -> Self:
        tls = issue(CERTIFICATE_AUTHORITY)
        options = {
            "tls": {
                "key": tls.key,
                "certificate": tls.certificate,
                "authority": CERTIFICATE_AUTHORITY.certificate,
            },
            "servers": {
                "standard": {"clients": self.standard.registrations, "nonces": True},
                "fapi": {"clients": self.fapi.registrations, "fapi": True},
            },
            "resource": RESOURCE,
            "lifetime": LIFETIME,
        }
        self._program = node_program("strict.mjs", options)
        started = self._program.__enter__().started
        for name, server in {"standard": self.standard, "fapi": self.fapi}.items():
            server.issuer, server.alias = (started["issuers"][name][key] for key in ("issuer", "alias"))
        self.api: str = started["api"]
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()

    def api_calls(self) -> list[dict[str, Any]]:
        """Return what the API has seen since the last :meth:`reset`."""
        calls: list[dict[str, Any]] = get(f"{self.api}/_test/requests").json()
        return calls

    def reset(self) -> None:
        """Forget what all of them have seen."""
        self.standard.reset()
        self.fapi.reset()
        get(f"{self.api}/_test/requests", method="DELETE")


def get(url: str, *, method: str = "GET") -> requests.Response:
    """Ask a server that the authority of these tests has certified."""
    return session(CERTIFICATE_AUTHORITY.certificate).request(method, url, timeout=60)


def _standard_server() -> StrictServer:
    server = StrictServer({}, [])
    for method in SECRET_METHODS:
        _register(server, method, StrictClient(f"{method}-client", method, secrets.token_urlsafe(48)))
    for algorithm in ALGORITHMS:
        _register_key(server, algorithm)
    _register_key(server, "RS256", client_id=WORKLOAD)
    _register_certificates(server)
    # Clients that it refuses for what they are registered as.
    odd: dict[str, dict[str, Any]] = {
        "without-the-grant": {
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "redirect_uris": ["https://client.example/back"],
        },
        "misregistered": {"id_token_signed_response_alg": "RS256"},
    }
    for name, registration in odd.items():
        client = StrictClient(name, "client_secret_basic", secrets.token_urlsafe(48))
        _register(server, name, client, **registration)
    return server


def _fapi_server() -> StrictServer:
    server = StrictServer({}, [])
    for algorithm in FAPI_ALGORITHMS:
        _register_key(server, algorithm, dpop_bound_access_tokens=True)
    _register_key(server, "ES256", client_id=WORKLOAD, dpop_bound_access_tokens=True)
    _register_certificates(server)
    return server


def _register(server: StrictServer, name: str, client: StrictClient, **more: Any) -> None:
    server.clients[name] = client
    server.registrations.append(
        {
            "client_id": client.client_id,
            "token_endpoint_auth_method": client.method,
            "grant_types": ["client_credentials"],
            "response_types": [],
            "redirect_uris": [],
            "scope": "read write system/Patient.rs system/Observation.rs",
            "authorization_details_types": ["orders"],
            **({"client_secret": client.secret} if client.secret else {}),
            **more,
        }
    )


def _register_key(server: StrictServer, algorithm: str, *, client_id: str | None = None, **more: Any) -> None:
    key = _new_key(algorithm)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public: Any = key.public_key()
    family = "EdDSA" if algorithm == "Ed25519" else algorithm
    jwk = get_default_algorithms()[family].to_jwk(public, as_dict=True)
    jwk |= {"use": "sig", "alg": algorithm, "kid": f"{algorithm}-1"}
    jwk.pop("key_ops", None)
    client = StrictClient(
        client_id or f"{algorithm.lower()}-client", "private_key_jwt", private_key=pem, algorithm=algorithm
    )
    _register(
        server,
        client_id or algorithm,
        client,
        jwks={"keys": [jwk]},
        token_endpoint_auth_signing_alg=algorithm,
        **more,
    )


def _new_key(algorithm: str) -> Any:
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm])
    if algorithm in {"EdDSA", "Ed25519"}:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _register_certificates(server: StrictServer) -> None:
    """Register both kinds, twice: with tokens bound to the certificate, and without (:data:`UNBOUND`)."""
    for method in TLS_METHODS:
        self_signed = method == "self_signed_tls_client_auth"
        name = f"{method.replace('_', '-')}.example"
        issued = client_certificate(name, None if self_signed else CERTIFICATE_AUTHORITY)
        registered: dict[str, Any] = (
            {"jwks": {"keys": [registered_jwk(issued.certificate)]}}
            if self_signed
            else {"tls_client_auth_san_dns": name}
        )
        for suffix, bound in (("", True), (UNBOUND, False)):
            client = StrictClient(
                f"{method}-client{suffix}", method, private_key=issued.key, certificate=issued.certificate
            )
            binding = {"tls_client_certificate_bound_access_tokens": bound}
            _register(server, f"{method}{suffix}", client, **binding, **registered)
