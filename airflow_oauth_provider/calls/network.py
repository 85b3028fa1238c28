"""How the API is reached: TLS, addresses and sockets, for ``requests`` and aiohttp alike."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.urls import host_allowed
from airflow_oauth_provider.transport.tls import client_context, context_for_redirects, tls_context

SocketOptions = tuple[tuple[int, int, int], ...]
Reached = tuple[ssl.SSLContext, bool, SocketOptions]
"""TLS context, whether any address is meant, socket options."""


def reach(auth: BearerAuth, options: dict[str, Any], keep_alive: tuple[int, int, int] | None) -> Reached:
    """Tell how an API is reached.

    :param options: ``extra_options`` of the caller.
    :param keep_alive: of TCP: seconds of silence, seconds between probes, number of probes.
    :raises ConfigurationError: for options that cannot be meant.
    """
    settings = auth.client.settings
    origins, listed = auth.destination.origins, settings.api.listed_hosts
    any_address = bool(origins) and all(host_allowed(origin, listed) for origin in origins)
    encrypted = not origins or any(origin.scheme == "https" for origin in origins)
    context = _tls_context(settings.network, options, needed=encrypted)
    return context, any_address, _socket_options(keep_alive)


def _tls_context(network: NetworkSettings, options: dict[str, Any], *, needed: bool) -> ssl.SSLContext:
    """Return the context; where only plain http is foreseen, one without authorities will do."""
    verify, cert = options.get("verify", options.get("verify_ssl")), options.get("cert")
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
