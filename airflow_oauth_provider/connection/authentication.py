"""The authentication method, against what a connection has to authenticate with.

An assertion that is sent to one server must not be good at another, so its audience is bounded: one that
names the access token URL's own host is always fine. Any other is accepted only where
``[oauth2] allowed_token_hosts`` lists the access token URL's host, so that none but servers which the
deployment trusts ever see the assertion; and if the audience names a host, that host has to be listed too.
``urn:…``, ``api://…`` and plain words name no host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from airflow_oauth_provider.connection.profile import chosen_algorithm
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.client.algorithms import one_of
from airflow_oauth_provider.protocol.client.certificates import ClientCertificate, certificate_of
from airflow_oauth_provider.protocol.client.jwt_assertion import RESERVED_CLAIMS
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, load_signing_key
from airflow_oauth_provider.protocol.client.methods import Method, Needs, method_of
from airflow_oauth_provider.protocol.client.proof import Problems
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key
from airflow_oauth_provider.protocol.profile import PROFILES
from airflow_oauth_provider.protocol.settings import (
    AssertionSettings,
    ClientSettings,
    PresentedCertificate,
    RequestSettings,
)
from airflow_oauth_provider.protocol.urls import Origin, UrlError, canonical_host, host_allowed

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?![0-9]+(?:[/?]|\Z))", re.IGNORECASE)
# Those that no other check refuses beside a method without a use for them.
_ASSERTION_FIELDS = {
    "jwt_algorithm": "algorithm",
    "key_id": "key_id",
    "jwt_lifetime": "lifetime",
    "jwt_audience": "audience",
    "jwt_claims": "claims",
    "private_key_passphrase": "private_key_passphrase",
    "certificate": "certificate",
}
_WITH_HOST = frozenset({"http", "https"})


def bad_authentication(settings: ClientSettings, policy: Policy) -> Problems:
    """Check the method against secret and key, its own rules, and the assertion's claims."""
    method = method_of(settings)
    credentials = {"password": settings.client_secret, "private_key": settings.assertion.private_key}
    # A custom provider may use whatever is configured.
    for name, credential in credentials.items() if method.function is not None else ():
        if name == method.needs.secret_field and credential is None:
            yield name, f"is missing: {method.name} needs it"
            return
        is_proof_key = credential is not None and credential == settings.proof.private_key
        if name != method.needs.secret_field and credential is not None and not is_proof_key:
            yield (
                name,
                f"is set beside {method.name}: two client authentication methods (RFC 6749 §2.3); empty one",
            )
    yield from method.problems(settings)
    for name in sorted(RESERVED_CLAIMS & json.loads(settings.assertion.claims).keys()):
        yield "jwt_claims", f"must not set {name}: it is fixed (RFC 7523 §3)"
    yield from _bad_audience(settings, policy)


def _bad_audience(settings: ClientSettings, policy: Policy) -> Problems:
    """Yield an audience that would let a server use the assertion at another one (see the module)."""
    if settings.assertion.audience is None:
        return
    own = settings.server.origin
    try:
        named = named_origin(settings.assertion.audience)
    except UrlError as error:
        yield "jwt_audience", str(error)
        return
    if named is not None and named.host == own.host:
        return
    missing = [
        origin.authority
        for origin in (own, named)
        if origin is not None and not host_allowed(origin, policy.token_hosts)
    ]
    if missing:
        reason = "is not the access token URL's own host, so the JWT could be good at another server"
        hosts = " and ".join(missing)
        yield "jwt_audience", f"{reason}: list {hosts} in [oauth2] allowed_token_hosts if that is meant"


def named_origin(audience: str) -> Origin | None:
    """Return the host that an audience names, with or without a scheme before it.

    :return: ``None`` for an identifier that is no address.
    :raises UrlError: for an address whose host is none.
    """
    scheme = _SCHEME.match(audience)
    if scheme is not None and scheme[1].lower() not in _WITH_HOST:
        return None
    host, port = _host_and_port(audience if scheme else f"https://{audience}")
    if scheme is None and "." not in host and port is None:
        return None
    return Origin("https", canonical_host(host), port or 443)


def _host_and_port(address: str) -> tuple[str, int | None]:
    with suppress(ValueError):  # which repeats the address
        parts = urlsplit(address)
        return parts.hostname or "", parts.port
    raise UrlError("is not a valid URL: check host and port (1 to 65535)")


def without_unused(settings: ClientSettings) -> ClientSettings:
    """Return the settings with the defaults for all that their method does not use.

    What is not used makes no difference between two clients: they may share a token.
    """
    method = method_of(settings)
    if method.function is None:
        return settings
    if not method.encodes:
        encoding = RequestSettings.basic_encoding
        settings = replace(settings, request=replace(settings.request, basic_encoding=encoding))
    return replace(settings, assertion=_used_of(settings.assertion, method))


def _used_of(options: AssertionSettings, method: Method) -> AssertionSettings:
    has_key = method.needs.secret_field == "private_key"
    if method.signs:
        without = replace(options, private_key=None, private_key_passphrase=None, certificate=None)
        return options if has_key else without
    if has_key:
        return AssertionSettings(
            private_key=options.private_key,
            private_key_passphrase=options.private_key_passphrase,
            certificate=options.certificate,
        )
    return AssertionSettings()


def ignored_fields(given: ClientSettings, used: ClientSettings) -> Iterator[str]:
    """Yield the fields that are set though the method has no use for them.

    :param used: *given* without what the method does not use.
    """
    proof = given.proof
    for field, name in _ASSERTION_FIELDS.items():
        value = getattr(given.assertion, name)
        signs_proofs = value is not None and value in (proof.algorithm, proof.passphrase)
        if value != getattr(used.assertion, name) and not signs_proofs:
            yield field
    if given.request.basic_encoding != used.request.basic_encoding:
        yield "basic_encoding"


def required_certificate(settings: ClientSettings, *, thorough: bool = False) -> ClientCertificate | None:
    """Return the certificate that has to be valid, if there is one.

    One that only lies with a signing key proves nothing: servers that do not look at it need not mind.

    :param thorough: as of :func:`load_signing_key`.
    :raises KeyMaterialError: naming the field at fault.
    """
    method, options = method_of(settings), settings.assertion
    if method.function is None or options.private_key is None:
        return None
    own = certificate_of(options, thorough=thorough)
    return own if method.needs is Needs.CERTIFICATE or options.certificate is not None else None


def with_certificate(settings: ClientSettings, *, now: float, thorough: bool = True) -> ClientSettings:
    """Return the settings with the certificate that the method presents; checked, wherever it is used.

    :param now: seconds since the epoch.
    :param thorough: as of :func:`load_signing_key`.
    :raises KeyMaterialError: naming the field at fault.
    """
    method, options = method_of(settings), settings.assertion
    own = required_certificate(settings, thorough=thorough)
    if own is not None:
        own.require_valid(now)
    if method.needs is not Needs.CERTIFICATE or options.private_key is None:
        return settings
    if own is None:
        raise KeyMaterialError(
            f"is missing: {method.name} needs it, here or with the key in private_key", "certificate"
        )
    presented = PresentedCertificate(own.chain, options.private_key, options.private_key_passphrase)
    return replace(settings, network=replace(settings.network, certificate=presented))


def with_algorithm(settings: ClientSettings, *, thorough: bool = True) -> ClientSettings:
    """Return the settings with the algorithm that the key is bound to (RFC 8725 §3.1).

    :param thorough: as of :func:`load_signing_key`.
    :raises KeyMaterialError: naming the field at fault.
    """
    method, options = method_of(settings), settings.assertion
    algorithms = method.algorithms
    if method.needs is Needs.KEY and method.signs and options.private_key is not None:
        key = load_signing_key(options.private_key, options.private_key_passphrase, thorough=thorough)
        algorithms = (chosen_algorithm(key, options.algorithm, PROFILES[settings.profile]),)
    if not algorithms:
        return settings
    algorithm = options.algorithm or algorithms[0]
    if algorithm not in algorithms:
        raise KeyMaterialError(
            f"{algorithm} does not fit the client secret, with which {method.name} signs: it must be "
            f"{one_of(algorithms)}",
            "jwt_algorithm",
        )
    return replace(settings, assertion=replace(options, algorithm=algorithm))


def with_proof_key(settings: ClientSettings, *, thorough: bool = True) -> ClientSettings:
    """Return the settings with what tells tokens apart that are bound to a configured key.

    :param thorough: as of :func:`load_signing_key`.
    :raises KeyMaterialError: naming the field at fault.
    """
    proof = settings.proof
    if proof.private_key is None:
        return settings
    key = load_signing_key(proof.private_key, proof.passphrase, thorough=thorough)
    algorithm = chosen_algorithm(key, proof.algorithm, PROFILES[settings.profile])
    loaded = load_proof_key(proof.private_key, proof.passphrase, algorithm, thorough=thorough)
    return replace(settings, proof=replace(proof, algorithm=algorithm, thumbprint=loaded.thumbprint))
