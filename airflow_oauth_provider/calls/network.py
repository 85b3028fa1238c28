"""Which network options a call has: those of its connection, and those that DAG code chooses."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.options import SESSION_OPTIONS
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.transport.network_options import NetworkOptions, SocketOptions
from airflow_oauth_provider.transport.tls import client_context, context_for_redirects, tls_context


def own_network(extra_options: dict[Any, Any] | None) -> dict[str, Any]:
    """Return those ``extra_options`` that make a session of its own necessary."""
    if not extra_options:
        return {}
    own = {name: extra_options.get(name) for name in SESSION_OPTIONS}
    return {name: value for name, value in own.items() if value is not None}


def own_proxies(own: dict[str, Any]) -> dict[str, str] | None:
    """Return the proxies that DAG code chooses; ``None`` for those of connection and environment."""
    return own.get("proxies") or own.get("proxy")


def network_options(
    auth: BearerAuth, own: dict[str, Any], keep_alive: tuple[int, int, int] | None
) -> NetworkOptions:
    """Return how the API of a connection is reached.

    :param own: options that DAG code chooses.
    :param keep_alive: of TCP: seconds of silence, seconds between probes, number of probes.
    :raises ConfigurationError: for options that cannot be meant.
    """
    settings, origins = auth.client.settings, auth.destination_for(None).origins
    encrypted = not origins or any(origin.scheme == "https" for origin in origins)
    network = settings.network
    context, elsewhere = _tls_context(network, own, needed=encrypted), None
    if network.certificate is not None or own.get("cert"):
        elsewhere = _tls_context(network.elsewhere, {**own, "cert": None}, needed=encrypted)
    return NetworkOptions(context, settings.api.listed_hosts, _socket_options(keep_alive), elsewhere)


def _tls_context(network: NetworkSettings, own: dict[str, Any], *, needed: bool) -> ssl.SSLContext:
    """Return the context; where only plain http is foreseen, one without authorities will do."""
    verify, cert = own.get("verify", own.get("verify_ssl")), own.get("cert")
    if verify is False:
        raise ConfigurationError(
            "TLS verification cannot be switched off for a call that carries a token: give the path of "
            "a CA bundle, or fill in ca_certificates on the connection",
            field="extra_options",
        )
    if cert is None and not isinstance(verify, str):
        return tls_context(network) if needed else context_for_redirects(network)
    return client_context(network, bundle=verify if isinstance(verify, str) else None, certificate=cert)


def _socket_options(keep_alive: tuple[int, int, int] | None) -> SocketOptions:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if keep_alive is None:
        return tuple(options)
    options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
    for name, value in zip(("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"), keep_alive, strict=True):
        if hasattr(socket, name):  # not every system has all three
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return tuple(options)
