"""An authorization server as a connection names it: by its token endpoint, or by its issuer (RFC 8414).

All that depends on which of the two it is stands here, so that nobody else needs to ask; only an
acquisition asks for an address (:mod:`airflow_oauth_provider.protocol.token.server`).
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_oauth_provider.protocol.urls import Origin, Url

METADATA_PATHS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
"""Where metadata is, and so no token endpoint and no issuer (RFC 8414 §3, OpenID Connect Discovery §4)."""


@dataclass(frozen=True)
class TokenEndpoint:
    """An authorization server that is known by its token endpoint.

    :param url: where token requests go.
    """

    url: Url

    def __str__(self) -> str:
        return str(self.url)

    @property
    def origin(self) -> Origin:
        """Its origin, by which people and allow-lists know it."""
        return self.url.origin

    @property
    def audience(self) -> str:
        """Whom an assertion is meant for, unless the connection says otherwise (RFC 7523 §3)."""
        return str(self.url)

    @property
    def assertion_type(self) -> str:
        """The ``typ`` of an assertion (RFC 7519 §5.1)."""
        return "JWT"

    @property
    def doubt(self) -> str | None:
        """What is odd about its address, for when nothing of the kind responds there."""
        if self.url.path != "/":
            return None
        return "it has no path: most end like /oauth2/token; if it is the issuer, switch discovery on"

    @property
    def other_audience(self) -> str:
        """What a server that refuses the audience may want instead."""
        return "than its token URL: set jwt_audience, often to its issuer"


@dataclass(frozen=True)
class Issuer:
    """An authorization server that is known by its issuer; its metadata names the endpoints (RFC 8414).

    :param identifier: as it is configured: metadata must name exactly this one (RFC 8414 §3.3).
    :param allowed_hosts: patterns of hosts that an endpoint may have; empty for any.
    """

    url: Url
    identifier: str
    allowed_hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.identifier

    @property
    def origin(self) -> Origin:
        """Its origin, by which people and allow-lists know it."""
        return self.url.origin

    @property
    def audience(self) -> str:
        """Whom an assertion is meant for: the server itself, whichever its endpoints are.

        draft-ietf-oauth-rfc7523bis: the issuer as the only audience, as one string.
        """
        return self.identifier

    @property
    def assertion_type(self) -> str:
        """The ``typ`` of an assertion (draft-ietf-oauth-rfc7523bis)."""
        return "client-authentication+jwt"

    @property
    def doubt(self) -> str | None:
        """Nothing: its metadata names the endpoint."""
        return None

    @property
    def other_audience(self) -> str:
        """What a server that refuses the audience may want instead: many are older than that draft."""
        return "than its issuer: set jwt_audience, often to its token URL"
