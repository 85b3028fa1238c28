"""What an authorization server says of itself (RFC 8414; OpenID Connect Discovery 1.0 §4).

A document is believed only if it names the very issuer that was asked for (RFC 8414 §3.3), and only
if every address in it is acceptable; else nothing of it is used. Documents lie about what a server
can do (grants that are missing, methods that are refused), so only addresses are acted upon.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.protocol.strict_json import JsonError, parse_object
from airflow_oauth_provider.protocol.texts import clean
from airflow_oauth_provider.protocol.urls import Url, UrlError, host_allowed, is_forbidden_address, parse_url

FRESH = 86_400.0
"""Seconds for which metadata is used without being fetched again."""
KEPT = 7 * 86_400.0
"""Seconds for which it serves while the server cannot be reached."""
_ENDPOINTS = ("token_endpoint", "introspection_endpoint", "revocation_endpoint")
_ALIASES = "mtls_endpoint_aliases"
_MAX_LISTED = 200


class DocumentError(ValueError):
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

    def endpoint(self, name: str, *, certificate: bool) -> Url | None:
        """Return an endpoint; ``None`` where the server names none.

        :param name: as in the metadata.
        :param certificate: the one for clients that present a certificate, where there is one of its own
            (RFC 8705 §5).
        """
        aliases = dict(self.mtls_endpoints) if certificate else {}
        return aliases.get(name) or dict(self.endpoints).get(name)

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

    def remarks(self) -> tuple[str, ...]:
        """Return what deserves a second look."""
        remarks = []
        if self.grant_types is not None and "client_credentials" not in self.grant_types:
            remarks.append(
                "grant_types_supported lacks client_credentials; some servers offer it all the same"
            )
        return tuple(remarks)

    def dump(self) -> bytes:
        """Return the document, reduced to what is read of it."""
        members: dict[str, Any] = {"issuer": self.issuer, **{name: str(url) for name, url in self.endpoints}}
        members[_ALIASES] = {name: str(url) for name, url in self.mtls_endpoints} or None
        members["token_endpoint_auth_methods_supported"] = _listed(self.auth_methods)
        members["token_endpoint_auth_signing_alg_values_supported"] = _listed(self.signing_algorithms)
        members["grant_types_supported"] = _listed(self.grant_types)
        members["scopes_supported"] = _listed(self.scopes)
        return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


@dataclass(frozen=True)
class KnownMetadata:
    """Metadata that was fetched before.

    :param fetched_at: seconds since the epoch.
    """

    metadata: Metadata
    fetched_at: float

    def is_fresh(self, now: float) -> bool:
        """Whether it need not be fetched again at *now* (seconds since the epoch)."""
        return 0 <= now - self.fetched_at < FRESH

    def dump(self) -> bytes:
        """Return the content of a sealed entry."""
        document = self.metadata.dump().decode()
        content = {"fetched_at": self.fetched_at, "url": self.metadata.url, "document": document}
        return json.dumps(content).encode()

    @classmethod
    def load(cls, data: bytes, issuer: str, patterns: Sequence[str]) -> KnownMetadata | None:
        """Read an entry; ``None`` for anything that would not be accepted from the server today."""
        try:
            content = json.loads(data)
            fetched_at, url = float(content["fetched_at"]), str(content["url"])
            metadata = read_document(content["document"].encode(), issuer, url, patterns)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            return None
        return cls(metadata, fetched_at) if math.isfinite(fetched_at) else None


def read_document(body: bytes, issuer: str, url: str, patterns: Sequence[str]) -> Metadata:
    """Read a metadata document.

    :param issuer: that was asked for.
    :param url: where the document was found.
    :param patterns: hosts that an endpoint may have; empty for any.
    :raises DocumentError: when nothing of it may be used.
    """
    try:
        data = parse_object(body)
    except JsonError as error:
        reason = f"the document {error}"
    else:
        return _metadata(data, issuer, url, patterns)
    raise DocumentError(reason)


def _metadata(data: dict[str, Any], issuer: str, url: str, patterns: Sequence[str]) -> Metadata:
    # RFC 8414 §3.3: the issuer value returned MUST be identical to the one used to find the document.
    if data.get("issuer") != issuer:
        named = clean(data.get("issuer")) or "none"
        raise DocumentError(f"the document is of another issuer ({named}); the two must be the same exactly")
    endpoints = _endpoints(data, patterns)
    if "token_endpoint" not in dict(endpoints):
        raise DocumentError("the document has no token_endpoint")
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
            raise DocumentError(f"{name} is no string")
        try:
            endpoints.append((name, allowed_url(value, patterns)))
        except (UrlError, DocumentError) as error:
            raise DocumentError(f"{name} {error}") from None
    return tuple(endpoints)


def allowed_url(text: str, patterns: Sequence[str], *, query_allowed: bool = True) -> Url:
    """Check an address against the hosts that may be meant.

    :raises UrlError: when it is malformed.
    :raises DocumentError: when its host is none of them.
    """
    url = parse_url(text, query_allowed=query_allowed)
    if host_allowed(url.origin, patterns):
        return url
    host = url.origin.authority
    if patterns:
        raise DocumentError(
            f"is on the host {host}, which is not in [oauth2] allowed_token_hosts (or not among the hosts of "
            "the connection's external credential)"
        )
    if is_forbidden_address(url.origin.host):
        raise DocumentError(
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
