"""Connections for coroutines: aiohttp connectors that all calls of one event loop share.

The counterpart of :mod:`airflow_oauth_provider.transport.adapter`. A thousand triggers that call one
API share its connections, and at most a hundred are open to any one host. Names are looked up in
threads of their own, never in the loop's shared executor: there a hanging name server would hold up
everybody's calls.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from airflow_oauth_provider.protocol.urls import acceptable
from airflow_oauth_provider.transport.async_responses import HeadTimers
from airflow_oauth_provider.transport.loops import PerLoop
from airflow_oauth_provider.transport.network_options import NetworkOptions
from airflow_oauth_provider.transport.proxies import Proxy
from airflow_oauth_provider.transport.response_protocol import ResponseProtocol
from airflow_oauth_provider.transport.sockets import AddressRefusedError
from airflow_oauth_provider.transport.tunnels import TunnelError

LOOKUP_TIMEOUT = 20.0
"""Seconds for looking up a name."""
CONNECTIONS_PER_HOST = 100


class Resolver(AbstractResolver):
    """Looks names up, and leaves addresses out that a token must not reach.

    :param any_address: whether any address of a host and port is meant.
    """

    def __init__(self, any_address: Callable[[str, int], bool]) -> None:
        self._any_address = any_address
        self.proxies: set[str] = set()
        """Hosts that the deployment has chosen: any address of theirs is meant."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host*.

        :raises OSError: when there is none.
        """
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                addresses = await _in_thread(host, port, family)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "the name server did not answer in time") from None
        anywhere = host in self.proxies or self._any_address(host, port)
        addresses = [entry for entry in addresses if acceptable(host, str(entry[4][0]), any_address=anywhere)]
        if not addresses:
            raise AddressRefusedError("the host resolves to no address that it may have")
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


async def _in_thread(host: str, port: int, family: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Any]] = loop.create_future()

    def deliver(addresses: list[Any] | OSError) -> None:
        if future.done():
            return
        if isinstance(addresses, OSError):
            future.set_exception(addresses)
        else:
            future.set_result(addresses)

    def look_up() -> None:
        addresses: list[Any] | OSError
        try:
            addresses = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except OSError as error:
            addresses = error
        except UnicodeError as error:
            addresses = socket.gaierror(str(error))
        try:
            loop.call_soon_threadsafe(deliver, addresses)
        except RuntimeError:
            return  # the loop has been closed meanwhile: nobody waits any more

    try:
        threading.Thread(target=look_up, name="oauth2-lookup", daemon=True).start()
    except RuntimeError:  # is all that Python says of it
        future.set_exception(socket.gaierror(socket.EAI_AGAIN, "this process can begin no more threads"))
    return await future


_limit_of_tunnel: ContextVar[asyncio.Timeout | None] = ContextVar("oauth2_limit_of_tunnel", default=None)


class _BeyondTunnelError(Exception):
    """What comes behind the tunnel, from the server, has failed; its cause says how."""


class _Connector(aiohttp.TCPConnector):
    """A connector for which a tunnel through a proxy is part of connecting: aiohttp waits for it for ever.

    Its connections read responses as :class:`ResponseProtocol` does.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        factory: Any = partial(ResponseProtocol, loop=self._loop)
        self._factory = factory  # aiohttp has no public switch

    async def _create_proxy_connection(
        self,
        req: Any,
        traces: Any,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  (aiohttp's own limits)
    ) -> Any:
        """Connect to a proxy, and through it, in the seconds for connecting (aiohttp has no public switch).

        :raises TunnelError: when the proxy opens no tunnel, as for threads.
        """
        try:
            async with asyncio.timeout(timeout.sock_connect) as limit:
                _limit_of_tunnel.set(limit)
                return await super()._create_proxy_connection(req, traces, timeout)
        except _BeyondTunnelError as error:
            beyond = error.__cause__
        except aiohttp.ClientHttpProxyError as error:
            beyond = TunnelError(error.status, (error.headers or {}).items())
        except (aiohttp.ClientError, OSError) as error:
            raise TunnelError(None) from error
        raise beyond or TunnelError(None)

    async def _start_tls_connection(self, *arguments: Any, **options: Any) -> Any:
        """Begin TLS within a tunnel, which has seconds of its own (aiohttp has no public switch)."""
        limit = _limit_of_tunnel.get()
        if limit is not None and not limit.expired():
            limit.reschedule(None)
        try:
            return await super()._start_tls_connection(*arguments, **options)
        except (aiohttp.ClientError, OSError) as error:
            raise _BeyondTunnelError from error


class _CertifiedConnector(_Connector):
    """A connector that presents a client certificate, and to a proxy none: aiohttp has one context for both.

    :param options: with a context for proxies.
    """

    def __init__(self, options: NetworkOptions, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._towards_proxies = options.elsewhere.context
        self.proxies: set[tuple[str, int]] = set()
        """Host and port of each."""

    def _get_ssl_context(self, req: aiohttp.ClientRequest) -> ssl.SSLContext | None:
        """Return the context of a request, which may be that for a tunnel (aiohttp has no public switch)."""
        context = super()._get_ssl_context(req)
        is_of_proxy = (req.host, req.port) in self.proxies
        return self._towards_proxies if context is not None and is_of_proxy else context


class SharedConnector:
    """A connector of one event loop, open while somebody uses it."""

    def __init__(self, options: NetworkOptions) -> None:
        self.options = options
        self._users = 0
        self.resolver = Resolver(options.any_address)
        self.head_timers = HeadTimers()
        kind: Callable[..., aiohttp.TCPConnector] = _Connector
        if options.context_elsewhere is not None:
            kind = partial(_CertifiedConnector, options)
        self.connector = kind(
            ssl=options.context,
            resolver=self.resolver,
            limit=0,
            limit_per_host=CONNECTIONS_PER_HOST,
            socket_factory=self._socket,
        )

    def add_proxy(self, proxy: Proxy) -> None:
        """Note a proxy that the deployment has chosen."""
        self.resolver.proxies.add(proxy.host)
        if isinstance(self.connector, _CertifiedConnector):
            self.connector.proxies.add((proxy.host, proxy.port))

    def enter(self) -> None:
        """Begin to use it."""
        self._users += 1

    async def leave(self) -> None:
        """Stop using it; the last user closes it."""
        self._users -= 1
        if not self._users:
            _connectors[asyncio.get_running_loop()].pop(self.options, None)
            self.head_timers.close()
            await self.connector.close()

    def _socket(self, address: Any) -> socket.socket:
        sock = socket.socket(*address[:3])
        for option in self.options.socket_options:
            sock.setsockopt(*option)
        return sock


# Touched only from within its own loop, so it needs no lock.
_connectors: PerLoop[dict[NetworkOptions, SharedConnector]] = PerLoop()


def shared_connector(options: NetworkOptions) -> SharedConnector:
    """Return the running loop's connector, begun to be used."""
    loop = asyncio.get_running_loop()
    connectors = _connectors.get(loop)
    if connectors is None:
        connectors = _connectors.keep(loop, {})
    connector = connectors.get(options)
    if connector is None:
        connector = connectors[options] = SharedConnector(options)
    connector.enter()
    return connector
