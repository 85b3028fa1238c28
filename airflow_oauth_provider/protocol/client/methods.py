"""How the client proves who it is: one value per method.

RFC 6749 §2.3.1 (Basic, post), RFC 7523 §2.2 and §3 with OpenID Connect Core §9
(``client_secret_jwt``, ``private_key_jwt``), RFC 8705 §2 (certificates). Exactly one mechanism per request
(RFC 6749 §2.3).

Form, checks, commands, masking and the acquisition ask the value; no other module knows a method by its
name. So a new method is one function and one entry of :data:`METHODS`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_oauth_provider.protocol.client.algorithms import KeyKind, algorithms_of, shortest_secret
from airflow_oauth_provider.protocol.client.proof import ASSERTION_TYPE, Entropy, Problems, Proof
from airflow_oauth_provider.protocol.client.workload_identity import (
    workload_advice,
    workload_identity,
    workload_problems,
)

# Every command of Airflow builds the form and so reads this module: the rest is imported when it is used.
if TYPE_CHECKING:
    from airflow_oauth_provider.protocol.client.certificates import ClientCertificate
    from airflow_oauth_provider.protocol.client.keys import SigningKey
    from airflow_oauth_provider.protocol.secret import Secret
    from airflow_oauth_provider.protocol.settings import ClientSettings

RESERVED_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti"})
_JTI_BYTES = 16
_SECRET_ALGORITHMS = algorithms_of(KeyKind.SECRET)
# RFC 3986 §2.3: what form-encoding leaves as it is.
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*\Z")


class Needs(Enum):
    """What a client proves its identity with; the value is the connection field that holds it."""

    SECRET = "password"
    KEY = "private_key"
    CERTIFICATE = "certificate"
    FILE = "assertion_file"
    NOTHING = None

    @property
    def secret_field(self) -> str | None:
        """The connection field of what is confidential: of a certificate its key, with which it may lie."""
        if self is Needs.CERTIFICATE:
            return "private_key"
        return None if self is Needs.FILE else self.value


def _nothing(_: ClientSettings) -> Iterator[Any]:
    return iter(())


@dataclass(frozen=True)
class Method:
    """A client authentication method.

    :param name: in the connection, and as a rule in a server's metadata (RFC 8414 §2).
    :param label: what the form says of it.
    :param needs: what the identity is proved with.
    :param function: proves it for one request; ``None`` where a provider of ``[oauth2] custom_providers``
        gets the token, which may use whatever is configured.
    :param signs: the proof is a JWT. It carries the time, so a server with another clock refuses it.
    :param algorithms: that it can sign with, whatever the key; empty where the key decides.
    :param offered_as: names for it in a server's metadata (RFC 8414 §2), where they are others.
    :param encodes: id and secret travel as Basic, so that ``basic_encoding`` applies.
    :param problems: yields field and message for settings that the method cannot work with.
    :param spellings: yields the strings, other than the secrets themselves, that must not be shown.
    :param advice: yields what else to try when the server refuses the client.
    """

    name: str
    label: str
    needs: Needs
    function: Callable[[ClientSettings, float, Entropy], Proof] | None
    signs: bool = False
    algorithms: tuple[str, ...] = ()
    offered_as: tuple[str, ...] = ()
    encodes: bool = False
    problems: Callable[[ClientSettings], Problems] = _nothing
    spellings: Callable[[ClientSettings], Iterator[str]] = _nothing
    advice: Callable[[ClientSettings], Iterator[str]] = _nothing


def method_of(settings: ClientSettings) -> Method:
    """Return the method by which a client authenticates."""
    return METHODS[settings.auth_method]


def authenticate(settings: ClientSettings, *, now: float, entropy: Entropy) -> Proof:
    """Prove the client's identity for one request.

    A JWT is made anew for every HTTP attempt: servers remember each ``jti``.

    :param now: seconds since the epoch, as the server is believed to count them.
    :param entropy: returns that many random bytes.
    """
    function = method_of(settings).function
    if function is None:
        raise ValueError(f"{settings.auth_method} makes no token request")
    return function(settings, now, entropy)


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


def _client_secret_basic(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    value = basic_value(settings.client_id, _secret(settings), settings.request.basic_encoding)
    return Proof(headers=(("Authorization", value),))


def _basic_problems(settings: ClientSettings) -> Problems:
    if settings.request.basic_encoding == "raw" and ":" in settings.client_id:
        yield "login", 'contains ":", which raw Basic encoding cannot carry (RFC 7617 §2)'


def _basic_spellings(settings: ClientSettings) -> Iterator[str]:
    """Yield both encodings: a server may repeat what it has decoded and encoded again."""
    if settings.client_secret is not None:
        for encoding in ("rfc6749", "raw"):
            value = basic_value(settings.client_id, settings.client_secret, encoding)
            yield value.removeprefix("Basic ")


def _basic_advice(settings: ClientSettings) -> Iterator[str]:
    """Yield the other encoding where it is another: many servers do not decode what RFC 6749 encodes."""
    if not all(_UNRESERVED.match(text) for text in (settings.client_id, _secret(settings).reveal())):
        other = "raw" if settings.request.basic_encoding == "rfc6749" else "rfc6749"
        yield f"id or secret has special characters: if both are right, set basic_encoding to {other}"


def _client_secret_post(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    return Proof(form=(("client_id", settings.client_id), ("client_secret", _secret(settings).reveal())))


def _client_secret_jwt(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    from airflow_oauth_provider.protocol.client.keys import SigningKey

    key = SigningKey(_secret(settings).reveal().encode(), _SECRET_ALGORITHMS, KeyKind.SECRET.value)
    return _assertion(settings, key, now, entropy)


def _secret_jwt_problems(settings: ClientSettings) -> Problems:
    from airflow_oauth_provider.protocol.client.signing import is_key

    secret = _secret(settings).reveal().encode(errors="replace")
    algorithm = settings.assertion.algorithm or _SECRET_ALGORITHMS[0]
    if is_key(secret):
        yield "password", f"is a key or certificate: {settings.auth_method} signs with a client secret"
    elif algorithm in _SECRET_ALGORITHMS and len(secret) < shortest_secret(algorithm):
        least = f"{algorithm} needs at least {shortest_secret(algorithm)} bytes (RFC 7518 §3.2)"
        yield "password", f"is too short for {settings.auth_method}: {least}"


def _private_key_jwt(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    from airflow_oauth_provider.protocol.client.keys import load_signing_key

    options = settings.assertion
    if options.private_key is None:
        raise ValueError(f"{settings.auth_method} needs a private key")
    key = load_signing_key(options.private_key, options.private_key_passphrase)
    own = _own_certificate(settings)
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
    return Proof(
        form=(
            ("client_id", settings.client_id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", signed),
        )
    )


def _assertion_advice(settings: ClientSettings) -> Iterator[str]:
    if settings.assertion.audience is None:
        yield f"the server may want another aud {settings.server.other_audience}"
    else:
        yield "the server may want another aud: check jwt_audience"


def _tls_client_auth(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    """RFC 8705 §2: the handshake proves the identity, and ``client_id`` says whose it is."""
    return Proof(form=(("client_id", settings.client_id),))


def _own_certificate(settings: ClientSettings) -> ClientCertificate | None:
    from airflow_oauth_provider.protocol.client.certificates import certificate_of

    return certificate_of(settings.assertion)


def _subject_advice(settings: ClientSettings) -> Iterator[str]:
    """RFC 8705 §2.1: the server knows the subject, or an alternative name, and trusts the issuer."""
    own = _own_certificate(settings)
    if own is not None:
        yield (
            f'the server must know the certificate by its subject "{own.subject}" and trust its issuer, and '
            "its endpoint must ask for certificates, which often is another address: try discovery"
        )


def _thumbprint_advice(settings: ClientSettings) -> Iterator[str]:
    """RFC 8705 §2.2: the server knows the very certificate."""
    own = _own_certificate(settings)
    if own is not None:
        yield (
            f"the certificate itself (x5t#S256 {own.thumbprint}) must be registered with the server, and its "
            "endpoint must ask for certificates, which often is another address: try discovery"
        )


def _by_name(methods: Iterable[Method]) -> Mapping[str, Method]:
    return MappingProxyType({method.name: method for method in methods})


METHODS = _by_name(
    (
        Method(
            "client_secret_basic",
            "Client secret, Basic authentication (client_secret_basic)",
            Needs.SECRET,
            _client_secret_basic,
            encodes=True,
            problems=_basic_problems,
            spellings=_basic_spellings,
            advice=_basic_advice,
        ),
        Method(
            "client_secret_post",
            "Client secret in the request body (client_secret_post)",
            Needs.SECRET,
            _client_secret_post,
        ),
        Method(
            "client_secret_jwt",
            "JWT signed with the client secret, HS256 (client_secret_jwt)",
            Needs.SECRET,
            _client_secret_jwt,
            signs=True,
            algorithms=_SECRET_ALGORITHMS,
            problems=_secret_jwt_problems,
            advice=_assertion_advice,
        ),
        Method(
            "private_key_jwt",
            "JWT signed with a private key or certificate (private_key_jwt)",
            Needs.KEY,
            _private_key_jwt,
            signs=True,
            advice=_assertion_advice,
        ),
        Method(
            "tls_client_auth",
            "Client certificate of a trusted authority, mutual TLS (tls_client_auth)",
            Needs.CERTIFICATE,
            _tls_client_auth,
            advice=_subject_advice,
        ),
        Method(
            "self_signed_tls_client_auth",
            "Client certificate known to the server itself, mutual TLS (self_signed_tls_client_auth)",
            Needs.CERTIFICATE,
            _tls_client_auth,
            advice=_thumbprint_advice,
        ),
        Method(
            "workload_identity",
            "Assertion of the platform, from a file (workload_identity)",
            Needs.FILE,
            workload_identity,
            offered_as=("private_key_jwt", "spiffe_jwt"),
            problems=workload_problems,
            advice=workload_advice,
        ),
        Method("custom", "Custom token provider from airflow.cfg (custom)", Needs.NOTHING, None),
    )
)
"""Every method by its name, in the order of the form; the first is the default."""
DEFAULT_METHOD = next(iter(METHODS))
