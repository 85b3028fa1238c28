"""Discovery by command."""

from __future__ import annotations

import shlex
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.discovery import check_issuer, discovery, issuer_of_metadata_at
from airflow_oauth_provider.protocol.token.metadata import Metadata
from airflow_oauth_provider.protocol.token.resource_metadata import authorization_servers_of
from airflow_oauth_provider.protocol.urls import Url, UrlError, host_allowed, parse_url, with_scheme
from airflow_oauth_provider.transport.driver import Driver

MAX_WAIT = 20.0
"""Seconds for both places where the document may be."""


@dataclass(frozen=True)
class Discovered:
    """What an address led to.

    :param suggested_by: the API that names the issuer; ``None`` where the address is the issuer itself.
    """

    metadata: Metadata
    suggested_by: str | None = None

    def report(self) -> dict[str, Any]:
        """Return it by the names of RFC 8414, and the API under one of ours."""
        api = {} if self.suggested_by is None else {"suggested_by": self.suggested_by}
        return {**self.metadata.report(), **api}


def found_at(address: str, policy: Policy) -> Discovered:
    """Fetch the metadata of an issuer, or of the issuer that an API names (RFC 9728).

    :param address: with or without ``https://``; the address of the metadata itself will do.
    :raises OAuthError: when it leads to none that can be used.
    """
    address = issuer_of_metadata_at(address)
    try:
        return Discovered(metadata_of(address, policy))
    except ConfigurationError as error:
        no_issuer = error
    listed_only = bool(policy.token_hosts or policy.api_hosts)
    url = _parsed(address)
    if url is None or (listed_only and not host_allowed(url.origin, policy.api_hosts)):
        raise no_issuer
    return _suggested(str(url), policy, no_issuer)


def _parsed(address: str) -> Url | None:
    with suppress(UrlError):
        return parse_url(with_scheme(address))
    return None


def _suggested(api: str, policy: Policy, no_issuer: ConfigurationError) -> Discovered:
    """Return what the first usable issuer that an API names says of itself."""
    listed = bool(policy.api_hosts)
    flow = authorization_servers_of(api, policy.api_hosts, deadline=time.monotonic() + MAX_WAIT)
    problem: OAuthError
    try:
        issuers = Driver(NetworkSettings(token_host_listed=listed)).run(flow)
    except ConfigurationError as error:
        problem = ConfigurationError(f"{no_issuer.message}. As an API: {error.message}", field="issuer")
    else:
        problem = no_issuer
        for issuer in issuers:
            try:
                return Discovered(metadata_of(issuer, policy), api)
            except OAuthError as error:
                problem = error
    raise problem


def metadata_of(issuer: str, policy: Policy) -> Metadata:
    """Fetch an issuer's metadata.

    :param issuer: with or without ``https://``.
    :raises OAuthError: when there is none that can be used.
    """
    issuer = with_scheme(issuer)
    listed = host_allowed(check_issuer(issuer, policy.token_hosts).origin, policy.token_hosts)
    network = NetworkSettings(token_host_listed=listed)
    flow = discovery(issuer, policy.token_hosts, deadline=time.monotonic() + MAX_WAIT)
    return Driver(network).run(flow)


def creation_of(metadata: Metadata) -> str:
    """Return the command that creates a connection to that server.

    With the method that is the default, unless the server names others only.
    """
    known = FIELDS_BY_KEY["auth_method"]
    offered = metadata.auth_methods or (str(known.default),)
    method = next((choice for choice in known.choices if choice in offered), known.default)
    chosen = "" if method == known.default else f" --set auth_method={method}"
    issuer = shlex.quote(metadata.issuer)
    return f"airflow oauth2 create NAME --discovery {issuer} --client-id ID --secret-stdin{chosen}"
