"""Which network options a call has: those of its connection, and those that DAG code chooses."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.options import SESSION_OPTIONS
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.transport.network_options import NetworkOptions, SocketOptions
from airflow_oauth_provider.transport.tls import client_context, context_for_redirects, tls_context


def own_network(extra_options: dict[Any, Any] | None, conn_id: str | None = None) -> dict[str, Any]:
    """Return those ``extra_options`` that make a session of its own necessary.

    :param conn_id: of the connection, for errors.
    :raises ConfigurationError: for any that is of another type.
    """
    if not extra_options:
        return {}
    if not isinstance(extra_options, Mapping):
        raise ConfigurationError("must be a dict", field="extra_options", conn_id=conn_id)
    own = {name: extra_options.get(name) for name in SESSION_OPTIONS}
    for name, value in own.items():
        what, fits = _TYPES[name]
        if value is not None and not fits(value):
            raise ConfigurationError(f"{name} must be {what}", field="extra_options", conn_id=conn_id)
    return {name: value for name, value in own.items() if value is not None}


def _is_verify(value: Any) -> bool:
    return isinstance(value, bool | str)


def _is_cert(value: Any) -> bool:
    files = value if isinstance(value, tuple | list) and len(value) == 2 else (value,)
    return all(isinstance(file, str) for file in files)


def _are_proxies(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(proxy, str | None) for proxy in value.values())


_VERIFY = "True, or the path of a CA bundle as text", _is_verify
_PROXIES = "a dict of addresses as text", _are_proxies
_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "verify": _VERIFY,
    "verify_ssl": _VERIFY,
    "cert": ("the path of a PEM file as text, or two", _is_cert),
    "proxies": _PROXIES,
    "proxy": _PROXIES,
}
"""Of each of ``SESSION_OPTIONS``, what it must be."""


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
