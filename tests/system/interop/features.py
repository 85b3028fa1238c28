"""What the tables ask of a server: is it offered, and does it work with a connection of ours?

A feature returns what the cell says. Whatever is not as it should be fails by an assertion.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.deployment.policy import forget_policy
from airflow_oauth_provider.exceptions import InvalidClientError, TokenEndpointError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens import AccessToken
from tests.support.servers.client_certificates import client_certificate, thumbprint
from tests.support.servers.strict_servers import CERTIFICATE_AUTHORITY, LIFETIME, TLS_METHODS, UNBOUND
from tests.system.interop.deployments import WORKLOAD_IDENTITY, WORKLOADS, Deployment
from tests.system.interop.tables import NOT_OF_THIS_METHOD, NOT_OFFERED

WORKS = "yes"
#: What the metadata call a method that they have no name for.
METADATA_NAMES = {WORKLOAD_IDENTITY: "private_key_jwt"}
DETAILS = [{"type": "orders", "actions": ["read", "delete"]}]


@dataclass(frozen=True)
class Trial:
    """One cell: a server and a client."""

    deployment: Deployment
    method: str

    @property
    def client(self) -> str:
        """The name of the client."""
        return self.deployment.client_of(self.method)

    def hook(self, **changes: Any) -> OAuth2Hook:
        return self.deployment.hook(self.client, **changes)

    def requests(self, path: str | None = None) -> list[dict[str, Any]]:
        """Return the token requests that the server has seen, or those of another path."""
        url = self.deployment.token_url.rpartition("/token")
        return self.deployment.server.requests(path or "/token" + url[2])

    def claims(self, token: AccessToken) -> dict[str, Any]:
        """Return what a JWT access token says."""
        return jwt.decode(token.value, options={"verify_signature": False})


@dataclass(frozen=True)
class Feature:
    """One column.

    :param metadata: members of the server's metadata without which it is not offered.
    :param methods: member of the metadata that lists the methods for it.
    :param run: returns what the cell says.
    """

    name: str
    run: Callable[[Trial], str]
    metadata: tuple[str, ...] = ()
    methods: str = "token_endpoint_auth_methods_supported"
    needs_certificate: bool = False

    def outcome(self, trial: Trial) -> str:
        """Return what the cell says."""
        known = trial.deployment.metadata
        methods = known.get(self.methods, known["token_endpoint_auth_methods_supported"])
        if METADATA_NAMES.get(trial.method, trial.method) not in methods or any(
            not known.get(member) for member in self.metadata
        ):
            return NOT_OFFERED
        if self.needs_certificate and "certificate" not in trial.deployment.registrations[trial.client].extra:
            return NOT_OF_THIS_METHOD
        return self.run(trial)


def _token(trial: Trial) -> str:
    hook = trial.hook()
    token = hook.get_token()
    assert token.lifetime == LIFETIME
    assert token.scopes == {"read"}
    assert token.scopes_stated
    assert [request["status"] for request in trial.requests()] in ([200], [400, 200])
    assert hook.get_token(force=True).value != token.value
    assert trial.requests()[-1]["status"] == 200
    return WORKS


def _discovery(trial: Trial) -> str:
    """The metadata lead to the endpoint; with a client certificate, to its alias (RFC 8705 §5)."""
    hook = trial.hook(discovery=True)
    hook.get_token()
    metadata = trial.deployment.metadata
    endpoints = metadata.get("mtls_endpoint_aliases", {}) if _shows_a_certificate(trial) else metadata
    asked = trial.requests()[-1]
    assert endpoints["token_endpoint"].endswith(asked["headers"]["host"] + asked["path"])
    fetched = len(trial.requests("oauth-authorization-server") + trial.requests("openid-configuration"))
    hook.get_token(force=True)
    assert (
        len(trial.requests("oauth-authorization-server") + trial.requests("openid-configuration")) == fetched
    )
    return WORKS


def metadata_requests(deployment: Deployment) -> int:
    """Return how often the server has given its metadata."""
    paths = (
        "oauth-authorization-server",
        "oauth-authorization-server/o",
        "oauth-authorization-server/idp",
        "openid-configuration",
    )
    responses = (request["status"] for path in paths for request in deployment.server.requests(path))
    return sum(status == 200 for status in responses)


def _shows_a_certificate(trial: Trial) -> bool:
    return "certificate" in trial.deployment.registrations[trial.client].extra


def _unknown_scope(trial: Trial) -> str:
    """Servers drop a scope that they do not know, or refuse; both is told."""
    hook = trial.hook(scope="read nonsense")
    try:
        token = hook.get_token()
    except TokenEndpointError as caught:
        error = caught
    else:
        assert token.scopes == {"read"}
        return "dropped"
    assert (error.error, error.retryable) == ("invalid_scope", False)
    return "refused"


def _resource(trial: Trial) -> str:
    """A resource indicator (RFC 8707) ends in the token's audience; no metadata tells who ignores it."""
    resource = trial.deployment.resource
    hook = trial.hook(resource=[resource], discovery=True)
    token = hook.get_token()
    if "jwks_uri" in trial.deployment.metadata:
        assert trial.claims(token)["aud"] == resource
    else:
        audiences = hook.introspect(token).get("aud")
        if audiences is None:
            return "ignored"
        assert audiences == [resource]
    return WORKS


def _details(trial: Trial) -> str:
    """Rich authorization requests (RFC 9396): asked for in full, granted in part."""
    hook = trial.hook(resource=[trial.deployment.resource], rich_requests=DETAILS)
    claims = trial.claims(hook.get_token())
    assert claims["authorization_details"] == [{"type": "orders", "actions": ["read"]}]
    return WORKS


def _proofs(trial: Trial) -> str:
    """DPoP (RFC 9449): where a nonce is required, it costs one request, once."""
    client = trial.client + (UNBOUND if _shows_a_certificate(trial) else "")
    hook = trial.deployment.hook(client, resource=[trial.deployment.resource], dpop=True)
    token = hook.get_token()
    assert token.token_type == "DPoP"
    assert "jkt" in trial.claims(token)["cnf"]
    first = [request["status"] for request in trial.requests()]
    hook.get_token(force=True)
    assert [request["status"] for request in trial.requests()] == [*first, 200]
    return {(200,): WORKS, (400, 200): "yes, with nonces"}[tuple(first)]


def _bound(trial: Trial) -> str:
    """The token is bound to the client certificate (RFC 8705 §3)."""
    token = trial.hook(resource=[trial.deployment.resource]).get_token()
    certificate = trial.deployment.registrations[trial.client].extra["certificate"]
    assert trial.claims(token)["cnf"] == {"x5t#S256": thumbprint(certificate)}
    return WORKS


def _introspection(trial: Trial) -> str:
    hook = trial.hook(discovery=True)
    result = hook.introspect(hook.get_token())
    login = trial.deployment.registrations[trial.client].login
    assert (result["active"], result["client_id"], result["scope"]) == (True, login, "read")
    assert hook.introspect("of-nobody") == {"active": False}
    return WORKS


def _revocation(trial: Trial) -> str:
    hook = trial.hook(discovery=True)
    token = hook.get_token()
    assert hook.revoke() is True
    assert hook.introspect(token) == {"active": False}
    assert hook.get_token().value != token.value
    return WORKS


def _fapi(trial: Trial) -> str:
    """The profile ``fapi2``, with the client that it leaves: a certificate, or PS256 with a bound token."""
    if trial.method not in {"private_key_jwt", *TLS_METHODS}:
        return NOT_OF_THIS_METHOD
    certified = _shows_a_certificate(trial)
    hook = trial.deployment.hook(
        trial.client if certified else "PS256", discovery=True, profile="fapi2", dpop=not certified
    )
    assert hook.get_token().token_type == ("Bearer" if certified else "DPoP")
    return WORKS


def _outside(trial: Trial) -> str:
    """The secret or key lies in a file that ``airflow.cfg`` names, and not in the connection."""
    registration = trial.deployment.registrations[trial.client]
    if trial.method == WORKLOAD_IDENTITY:
        return NOT_OF_THIS_METHOD
    key, certificate = registration.extra.get("private_key"), registration.extra.get("certificate", "")
    file = WORKLOADS / "credential"
    file.write_text(registration.password or f"{key}{certificate}")
    entry = {"file": str(file), "hosts": ["127.0.0.1"], "client_ids": [registration.login]}
    credentials = {"outside": {**entry, "api_hosts": ["api.example"]}}
    emptied: Any = dict.fromkeys(("password", "private_key", "certificate", "ca_certificates"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", json.dumps(credentials))
        forget_policy()
        hook = trial.deployment.hook(trial.client, external_credential="outside", **emptied)
        assert hook.get_token().scopes == {"read"}
    forget_policy()
    return WORKS


def _refusal(trial: Trial) -> str:
    """Another secret, key or certificate: one request for all who ask, and a typed error."""
    changes = _wrong_credential(trial)
    for _ in range(3):
        with pytest.raises(InvalidClientError) as caught:
            trial.hook(**changes).get_token()
    assert caught.value.error == "invalid_client"
    (refused,) = trial.requests()
    return f"{refused['status']}, once"


_wrong: dict[str, dict[str, Any]] = {}


def _wrong_credential(trial: Trial) -> dict[str, Any]:
    """Return changes to a connection: of the same kind, and of nobody whom the server knows."""
    if trial.method == WORKLOAD_IDENTITY:
        _, algorithm = trial.deployment.vouched_by
        key = _stranger_key(algorithm)
        return {"assertion_file": trial.deployment.vouch(key=key)}
    if trial.method not in _wrong:
        self_signed = trial.method.startswith("self_signed")
        issued = client_certificate("stranger.example", None if self_signed else CERTIFICATE_AUTHORITY)
        if trial.method == "private_key_jwt":
            _wrong[trial.method] = {"private_key": client_certificate("a.example").key}
        elif "tls" in trial.method:
            _wrong[trial.method] = {"private_key": issued.key, "certificate": issued.certificate}
        else:
            _wrong[trial.method] = {"password": "a-secret-of-nobody, and long enough for HS256"}
    return _wrong[trial.method]


def _stranger_key(algorithm: str) -> str:
    """Return a key of a kind: certificates of an authority are on P-256, others with RSA."""
    return client_certificate("a.example", CERTIFICATE_AUTHORITY if algorithm == "ES256" else None).key


_ALL = (
    Feature("token", _token),
    Feature("by discovery", _discovery),
    Feature("unknown scope", _unknown_scope),
    Feature("resource", _resource),
    Feature("rich requests", _details, ("authorization_details_types_supported",)),
    Feature("DPoP", _proofs, ("dpop_signing_alg_values_supported",)),
    Feature(
        "bound to certificate",
        _bound,
        ("tls_client_certificate_bound_access_tokens",),
        needs_certificate=True,
    ),
    Feature(
        "introspection",
        _introspection,
        ("introspection_endpoint",),
        "introspection_endpoint_auth_methods_supported",
    ),
    Feature(
        "revocation", _revocation, ("revocation_endpoint",), "revocation_endpoint_auth_methods_supported"
    ),
    Feature("profile fapi2", _fapi, ("dpop_signing_alg_values_supported",)),
    Feature("external credential", _outside),
    Feature("wrong credential", _refusal),
)
FEATURES = {feature.name: feature for feature in _ALL}
