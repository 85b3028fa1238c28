"""A JWT that the client signs proves its identity: RFC 7523 §2.2 and §3, OpenID Connect Core §9."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.protocol.client.algorithms import KeyKind, algorithms_of, shortest_secret
from airflow_oauth_provider.protocol.client.client_secret import secret_of
from airflow_oauth_provider.protocol.client.mutual_tls import own_certificate
from airflow_oauth_provider.protocol.client.proof import (
    ASSERTION_TYPE,
    Entropy,
    Problems,
    Proof,
    assertion_proof,
)

# The form needs the methods' names only: what signs is imported when it is used.
if TYPE_CHECKING:
    from airflow_oauth_provider.protocol.client.keys import SigningKey
    from airflow_oauth_provider.protocol.settings import ClientSettings

RESERVED_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti"})
SECRET_ALGORITHMS = algorithms_of(KeyKind.SECRET)
_JTI_BYTES = 16


def client_secret_jwt(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    """Sign with the client secret, which both sides know."""
    from airflow_oauth_provider.protocol.client.keys import SigningKey

    key = SigningKey(secret_of(settings).reveal().encode(), SECRET_ALGORITHMS, KeyKind.SECRET.value)
    return _assertion(settings, key, now, entropy)


def secret_jwt_problems(settings: ClientSettings) -> Problems:
    """Check that the secret is one, and long enough for its algorithm."""
    from airflow_oauth_provider.protocol.client.signing import is_key

    secret = secret_of(settings).reveal().encode(errors="replace")
    algorithm = settings.assertion.algorithm or SECRET_ALGORITHMS[0]
    if is_key(secret):
        yield "password", f"is a key or certificate: {settings.auth_method} signs with a client secret"
    elif algorithm in SECRET_ALGORITHMS and len(secret) < shortest_secret(algorithm):
        least = f"{algorithm} needs at least {shortest_secret(algorithm)} bytes (RFC 7518 §3.2)"
        yield "password", f"is too short for {settings.auth_method}: {least}"


def private_key_jwt(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    """Sign with the private key, and name its certificate where there is one."""
    from airflow_oauth_provider.protocol.client.keys import load_signing_key

    options = settings.assertion
    if options.private_key is None:
        raise ValueError(f"{settings.auth_method} needs a private key")
    key = load_signing_key(options.private_key, options.private_key_passphrase)
    own = own_certificate(settings)
    return _assertion(settings, key, now, entropy, own.thumbprint if own else None)


def _assertion(
    settings: ClientSettings,
    key: SigningKey,
    now: float,
    entropy: Entropy,
    thumbprint: str | None = None,
) -> Proof:
    from airflow_oauth_provider.protocol.client.signing import sign
    from airflow_oauth_provider.protocol.strict_json import parse_value

    options = settings.assertion
    claims: dict[str, Any] = {
        **parse_value(options.claims),
        "iss": settings.client_id,
        "sub": settings.client_id,
        "aud": options.audience or settings.server.audience,
        "jti": entropy(_JTI_BYTES).hex(),
        "iat": int(now),
        "exp": int(now + options.lifetime),
    }
    names = {
        "typ": settings.server.assertion_type,
        "kid": options.key_id or key.key_id,
        "x5t#S256": thumbprint,
    }
    header = {name: value for name, value in names.items() if value}
    signed = sign(claims, key.key, options.algorithm or key.algorithms[0], header)
    return assertion_proof(settings.client_id, ASSERTION_TYPE, signed)


def assertion_advice(settings: ClientSettings) -> Iterator[str]:
    """Say whom else the assertion may have to be for."""
    if settings.assertion.audience is None:
        yield f"the server may want another aud {settings.server.other_audience}"
    else:
        yield "the server may want another aud: check jwt_audience"
