"""How an API is reached, for ``requests`` and aiohttp alike."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from airflow_oauth_provider.protocol.urls import Origin, UrlError, canonical_host, host_allowed

SocketOptions = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class NetworkOptions:
    """Equal ones share their connections.

    :param context: TLS context.
    :param listed_hosts: the entries of the allow-list. A host that one of them names may have any address.
    :param socket_options: as for ``socket.setsockopt``.
    """

    context: ssl.SSLContext
    listed_hosts: tuple[str, ...] = ()
    socket_options: SocketOptions = ()

    def any_address(self, host: str, port: int) -> bool:
        """Whether a host may have a link-local or metadata address, since just this host is allow-listed."""
        if not self.listed_hosts:
            return False
        try:
            origin = Origin("https", canonical_host(host.strip("[]")), port)
        except UrlError:
            return False
        return host_allowed(origin, self.listed_hosts)
