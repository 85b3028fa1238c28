"""How an API is reached, for ``requests`` and aiohttp alike."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace

from airflow_oauth_provider.protocol.urls import Origin, UrlError, canonical_host, host_allowed

SocketOptions = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class NetworkOptions:
    """Equal ones share their connections.

    :param context: TLS context.
    :param listed_hosts: the entries of the allow-list. A host that one of them names may have any address.
    :param socket_options: as for ``socket.setsockopt``.
    :param context_elsewhere: towards hosts that are not the API's, where a redirect leads to one, and towards
        proxies: none of them is shown a client certificate. ``None`` for the same.
    """

    context: ssl.SSLContext
    listed_hosts: tuple[str, ...] = ()
    socket_options: SocketOptions = ()
    context_elsewhere: ssl.SSLContext | None = None

    @property
    def elsewhere(self) -> NetworkOptions:
        """How a host is reached that is not the API's."""
        if self.context_elsewhere is None:
            return self
        return replace(self, context=self.context_elsewhere, context_elsewhere=None)

    def any_address(self, host: str, port: int) -> bool:
        """Whether a host may have a link-local or metadata address, since just this host is allow-listed."""
        if not self.listed_hosts:
            return False
        try:
            origin = Origin("https", canonical_host(host.strip("[]")), port)
        except UrlError:
            return False
        return host_allowed(origin, self.listed_hosts)
