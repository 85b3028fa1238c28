"""How the client proves who it is: one small function per method.

RFC 6749 §2.3.1 (Basic, post), RFC 7523 §2.2 and §3 with OpenID Connect Core §9
(``client_secret_jwt``, ``private_key_jwt``). Exactly one mechanism per request (RFC 6749 §2.3).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from airflow_oauth_provider.protocol import settings as s
from airflow_oauth_provider.protocol.client.keys import SigningKey, load_signing_key
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings, Pairs
from airflow_oauth_provider.protocol.strict_json import parse_value

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RESERVED_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti"})
_JTI_BYTES = 16


@dataclass(frozen=True)
class Proof:
    """What authentication adds to the request.

    :param headers: header fields.
    :param form: form parameters.
    """

    headers: Pairs = field(default=(), repr=False)
    form: Pairs = field(default=(), repr=False)


def authenticate(settings: ClientSettings, *, now: float, entropy: Callable[[int], bytes]) -> Proof:
    """Prove the client's identity for one request.

    A JWT is made anew for every HTTP attempt: servers remember each ``jti``.

    :param now: seconds since the epoch, as the server is believed to count them.
    :param entropy: returns that many random bytes.
    """
    return _METHODS[settings.auth_method](settings, now, entropy)


def basic_value(client_id: str, secret: Secret, encoding: str) -> str:
    """Return the value of ``Authorization`` for Basic authentication.

    RFC 6749 §2.3.1 form-encodes both parts before joining them; a space becomes ``%20``, which
    every decoder reads, and not ``+``, which some do not. *encoding* ``raw`` joins them as they are.
    """
    parts = (client_id, secret.reveal())
    if encoding == "rfc6749":
        parts = (quote(parts[0], safe=""), quote(parts[1], safe=""))
    return "Basic " + base64.b64encode(":".join(parts).encode()).decode()


def _secret(settings: ClientSettings) -> Secret:
    if settings.client_secret is None:
        raise ValueError(f"{settings.auth_method} needs a client secret")
    return settings.client_secret


def _client_secret_basic(settings: ClientSettings, now: float, entropy: Callable[[int], bytes]) -> Proof:
    value = basic_value(settings.client_id, _secret(settings), settings.request.basic_encoding)
    return Proof(headers=(("Authorization", value),))


def _client_secret_post(settings: ClientSettings, now: float, entropy: Callable[[int], bytes]) -> Proof:
    return Proof(form=(("client_id", settings.client_id), ("client_secret", _secret(settings).reveal())))


def _client_secret_jwt(settings: ClientSettings, now: float, entropy: Callable[[int], bytes]) -> Proof:
    key = SigningKey(_secret(settings).reveal().encode(), ("HS256",))
    return _assertion(settings, key, now, entropy)


def _private_key_jwt(settings: ClientSettings, now: float, entropy: Callable[[int], bytes]) -> Proof:
    options = settings.assertion
    if options.private_key is None:
        raise ValueError("private_key_jwt needs a private key")
    key = load_signing_key(options.private_key, options.private_key_passphrase)
    return _assertion(settings, key, now, entropy)


def _assertion(
    settings: ClientSettings, key: SigningKey, now: float, entropy: Callable[[int], bytes]
) -> Proof:
    import jwt

    options = settings.assertion
    claims: dict[str, Any] = {
        **parse_value(options.claims),
        "iss": settings.client_id,
        "sub": settings.client_id,
        "aud": options.audience or str(settings.token_url),
        "jti": entropy(_JTI_BYTES).hex(),
        "iat": int(now),
        "exp": int(now + options.lifetime),
    }
    names = {"kid": options.key_id or key.key_id, "x5t#S256": key.thumbprint}
    signed = jwt.encode(
        claims,
        key.key,
        algorithm=options.algorithm or key.algorithms[0],
        headers={name: value for name, value in names.items() if value},
    )
    return Proof(
        form=(
            ("client_id", settings.client_id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", signed),
        )
    )


_METHODS: dict[str, Callable[[ClientSettings, float, Callable[[int], bytes]], Proof]] = {
    s.CLIENT_SECRET_BASIC: _client_secret_basic,
    s.CLIENT_SECRET_POST: _client_secret_post,
    s.CLIENT_SECRET_JWT: _client_secret_jwt,
    s.PRIVATE_KEY_JWT: _private_key_jwt,
}
