"""What an authorization server says of itself (RFC 8414; OpenID Connect Discovery 1.0 §4).

A document is believed only if it names the very issuer that was asked for (RFC 8414 §3.3), and only
if every address in it is acceptable; else nothing of it is used. Documents lie about what a server
can do (grants that are missing, methods that are refused), so only addresses are acted upon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.protocol.effects import Fetch, Flow
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_object
from airflow_oauth_provider.protocol.texts import clean
from airflow_oauth_provider.protocol.urls import (
    Url,
    UrlError,
    host_allowed,
    is_forbidden_address,
    parse_url,
)

AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
_ENDPOINTS = ("token_endpoint", "introspection_endpoint", "revocation_endpoint")
_ALIASES = "mtls_endpoint_aliases"
_MAX_LISTED = 200


class _DocumentError(ValueError):
    """The document is of no use; says why."""


@dataclass(frozen=True)
class Metadata:
    """What is read of a document. ``None`` means that it does not say.

    :param url: where it was found.
    :param endpoints: name (``token_endpoint`` …) → address; *mtls_endpoints* likewise, for clients
        that authenticate by certificate (RFC 8705 §5).
    """

    issuer: str
    url: str
    endpoints: tuple[tuple[str, Url], ...]
    mtls_endpoints: tuple[tuple[str, Url], ...] = ()
    auth_methods: tuple[str, ...] | None = None
    signing_algorithms: tuple[str, ...] | None = None
    grant_types: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None

    @property
    def token_endpoint(self) -> Url:
        """The access token URL."""
        return dict(self.endpoints)["token_endpoint"]

    def report(self) -> dict[str, Any]:
        """Return it by the names of RFC 8414."""
        return {
            "issuer": self.issuer,
            "found_at": self.url,
            **{name: str(url) for name, url in self.endpoints},
            **{f"mtls_{name}": str(url) for name, url in self.mtls_endpoints},
            "token_endpoint_auth_methods_supported": _listed(self.auth_methods),
            "token_endpoint_auth_signing_alg_values_supported": _listed(self.signing_algorithms),
            "grant_types_supported": _listed(self.grant_types),
            "scopes_supported": _listed(self.scopes),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what deserves a second look."""
        remarks = []
        if self.grant_types is not None and "client_credentials" not in self.grant_types:
            remarks.append(
                "grant_types_supported lacks client_credentials; some servers offer it all the same"
            )
        return tuple(remarks)


Discovery = Flow[Metadata]


def check_issuer(text: str, patterns: Sequence[str]) -> Url:
    """Check an issuer before anything is sent (RFC 8414 §2: https, no query, no fragment).

    :param patterns: ``allowed_token_hosts``; empty for any host.
    :raises ConfigurationError: when it is no acceptable issuer.
    """
    try:
        return _allowed(text, patterns, query_allowed=False)
    except (UrlError, _DocumentError) as error:
        reason = str(error)
    raise ConfigurationError(f"the issuer {reason}", field="issuer")


def discovery(issuer: str, patterns: Sequence[str], *, deadline: float) -> Discovery:
    """Find an issuer's metadata; a flow of its own, or a part of another by ``yield from``.

    :param patterns: as of :func:`check_issuer`; they hold for every address in the document too.
    :param deadline: monotonic seconds at which to give up.
    :raises ConfigurationError: when there is no document that can be used.
    :raises TransportError: when the server gives no response.
    """
    check_issuer(issuer, patterns)
    refused: list[str] = []
    for url in well_known_urls(issuer):
        response = (yield Fetch(url, deadline)).result
        if isinstance(response, Failure):
            if response.fault is Fault.MALFORMED:
                refused.append(f"{url}: {response.detail}")
                continue
            text = f"no response from {url}: {response.detail}"
            raise TransportError(text, retryable=response.fault.retryable)
        if not isinstance(response, HttpResponse):
            raise TypeError(f"a fetch cannot end with {type(response).__name__}")
        try:
            return _read(response, issuer, url, patterns)
        except (_DocumentError, UrlError, JsonError) as error:
            refused.append(f"{url}: {error}")
    raise ConfigurationError(f"there is no usable metadata. {'; '.join(refused)}", field="issuer")


def well_known_urls(issuer: str) -> tuple[str, str]:
    """Return where the document may be: inserted before the path (RFC 8414 §3.1), and appended
    (OpenID Connect Discovery §4.1).
    """  # noqa: D205  (one sentence)
    scheme, _, rest = issuer.partition("://")
    authority, slash, path = rest.rstrip("/").partition("/")
    origin = f"{scheme}://{authority}"
    return f"{origin}{AUTHORIZATION_SERVER}{slash}{path}", f"{origin}{slash}{path}{OPENID_CONFIGURATION}"


def _read(response: HttpResponse, issuer: str, url: str, patterns: Sequence[str]) -> Metadata:
    if response.status != 200:
        raise _DocumentError(f"HTTP status {response.status}")
    if response.header("content-encoding") not in {None, "", "identity"}:
        raise _DocumentError("the response is compressed, although that was not asked for")
    data = parse_object(response.body)
    # RFC 8414 §3.3: the issuer value returned MUST be identical to the one used to find the document.
    if data.get("issuer") != issuer:
        named = clean(data.get("issuer")) or "none"
        raise _DocumentError(f"the document is of another issuer ({named}); the two must be the same exactly")
    endpoints = _endpoints(data, patterns)
    if "token_endpoint" not in dict(endpoints):
        raise _DocumentError("the document has no token_endpoint")
    aliases = data.get(_ALIASES)
    return Metadata(
        issuer,
        url,
        endpoints,
        _endpoints(aliases, patterns) if isinstance(aliases, dict) else (),
        _strings(data.get("token_endpoint_auth_methods_supported")),
        _strings(data.get("token_endpoint_auth_signing_alg_values_supported")),
        _strings(data.get("grant_types_supported")),
        _strings(data.get("scopes_supported")),
    )


def _endpoints(data: dict[str, Any], patterns: Sequence[str]) -> tuple[tuple[str, Url], ...]:
    endpoints = []
    for name in _ENDPOINTS:
        value = data.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise _DocumentError(f"{name} is no string")
        try:
            endpoints.append((name, _allowed(value, patterns)))
        except (UrlError, _DocumentError) as error:
            raise _DocumentError(f"{name} {error}") from error
    return tuple(endpoints)


def _allowed(text: str, patterns: Sequence[str], *, query_allowed: bool = True) -> Url:
    url = parse_url(text, query_allowed=query_allowed)
    if host_allowed(url.origin, patterns):
        return url
    host = url.origin.authority
    if patterns:
        raise _DocumentError(f"is on the host {host}, which is not in [oauth2] allowed_token_hosts")
    if is_forbidden_address(url.origin.host):
        raise _DocumentError(
            f"is on {host}, a link-local or metadata address: list it in [oauth2] allowed_token_hosts if so"
        )
    return url


def _strings(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    cleaned = (clean(item) for item in value[:_MAX_LISTED])
    return tuple(text for text in cleaned if text)


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
