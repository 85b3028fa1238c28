"""Where a client may ask about its tokens: an address that the caller gives, or that its issuer names."""

from __future__ import annotations

import logging

from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import method_of
from airflow_oauth_provider.protocol.configured_server import Issuer
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.profile import CLIENT_RULES, PROFILES
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.endpoint import Endpoint
from airflow_oauth_provider.protocol.token.server import ServerLookup
from airflow_oauth_provider.protocol.urls import Url, UrlError, host_allowed, parse_url, with_scheme
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.transport.driver import Driver
from airflow_oauth_provider.transport.stopping import Stop

log = logging.getLogger(__name__)


def require_authentication(settings: ClientSettings, endpoint: Endpoint) -> None:
    """Refuse a client that cannot prove its identity anywhere.

    :raises ConfigurationError: naming its method.
    """
    if method_of(settings).function is None:
        raise ConfigurationError(
            f"{settings.auth_method} proves the client's identity at no endpoint: {endpoint.request} is not "
            "possible",
            field="auth_method",
        )


def given_url(settings: ClientSettings, policy: Policy, address: str, endpoint: Endpoint) -> Url:
    """Check the address of an endpoint that a caller gives.

    :param address: with or without ``https://``.
    :raises ConfigurationError: when it is no place for the client's credential.
    """
    if not isinstance(address, str) or not address.strip():
        raise _missing(endpoint)
    profile = PROFILES[settings.profile]
    if profile.strict:
        raise ConfigurationError(
            f"cannot be given: endpoints come from the issuer's metadata only ({profile.rule(CLIENT_RULES)})",
            field=endpoint.setting,
        )
    try:
        url = parse_url(with_scheme(address.strip()))
    except UrlError as error:
        reason = str(error)
    else:
        if host_allowed(url.origin, policy.token_hosts) or url.origin == settings.server.origin:
            return url
        reason = _elsewhere(settings, policy, url)
    raise ConfigurationError(reason, field=endpoint.setting)


def discovered_url(
    settings: ClientSettings, sharing: Sharing, endpoint: Endpoint, budget: Budget, *, stop: Stop
) -> Url:
    """Return the address that the metadata of the connection's issuer names; may ask the issuer for them.

    :raises ConfigurationError: when nothing names it.
    :raises OAuthError: when the metadata cannot be had.
    """
    server = settings.server
    entries = Entries(settings, sharing)
    lookup = ServerLookup(settings, entries.metadata(server) if isinstance(server, Issuer) else None)
    driver = Driver(settings.network, remember=entries.remember_metadata, stop=stop)
    url = driver.run(lookup.other_endpoint(endpoint.member, budget.started, budget.until))
    for warning in lookup.warnings:
        log.warning("%s: %s", server.origin.authority, warning)
    if url is None:
        raise _missing(endpoint)
    return url


def _missing(endpoint: Endpoint) -> ConfigurationError:
    return ConfigurationError(
        f"is missing: give the address of the server's {endpoint.name} (endpoint=… or --endpoint). Its "
        "documentation names it, and perhaps `airflow oauth2 discover ISSUER`",
        field=endpoint.setting,
    )


def _elsewhere(settings: ClientSettings, policy: Policy, url: Url) -> str:
    """Say why the client's credential must not go there."""
    return (
        f"is on {url.origin.authority}, which is neither the access token URL's own host and port "
        f"({settings.server.origin.authority}) nor in [oauth2] {policy.token_hosts_in} of airflow.cfg"
    )
