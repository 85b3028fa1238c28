"""The ``requests`` adapter under token requests and API calls."""

from __future__ import annotations

import os
import ssl
import warnings
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import InsecureRequestWarning
from urllib3.response import HTTPResponse
from urllib3.util import Timeout

from airflow_oauth_provider.transport.network_options import NetworkOptions
from airflow_oauth_provider.transport.sockets import PORTS, AnyAddress, connection_class, pool_classes

_alive: weakref.WeakSet[OAuth2Adapter] = weakref.WeakSet()
_inherited: list[Any] = []


class OAuth2Adapter(HTTPAdapter):
    """An adapter with a TLS context of its own.

    What ``requests`` would do with its ``verify`` argument is switched off: the context decides
    alone, also against proxies, so that neither the environment nor another session of the
    process can loosen it.

    :param context: shared TLS context.
    :param proxy_context: likewise, towards a proxy; ``None`` for the same.
    :param any_address: whether any address of a host and port is meant.
    :param socket_options: as for ``socket.setsockopt``; ``None`` for urllib3's defaults.
    :param pool_size: connections to one host that stay open between calls.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        proxy_context: ssl.SSLContext | None = None,
        any_address: AnyAddress = lambda _host, _port: False,
        socket_options: Sequence[tuple[int, int, int]] | None = None,
        pool_size: int = DEFAULT_POOLSIZE,
    ) -> None:
        self._any_address = any_address
        self._pool_classes = pool_classes(any_address)
        self._plain_options: dict[str, Any] = {}
        if socket_options is not None:
            self._plain_options["socket_options"] = list(socket_options)
        self._pool_options = {
            **self._plain_options,
            "ssl_context": context,
            "cert_reqs": "CERT_REQUIRED" if context.verify_mode == ssl.CERT_REQUIRED else "CERT_NONE",
        }
        self._proxy_context = proxy_context or context
        super().__init__(pool_maxsize=pool_size)
        _alive.add(self)

    @classmethod
    def of(cls, options: NetworkOptions) -> Self:
        """Return an adapter that reaches servers as *options* say."""
        return cls(
            options.context,
            proxy_context=options.context_elsewhere,
            any_address=options.any_address,
            socket_options=options.socket_options,
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pool manager with our context and connection classes."""
        self._pool_sizes = args, kwargs
        super().init_poolmanager(*args, **{**kwargs, **self._pool_options})
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Create a proxy manager likewise; ``requests`` would forget the context here."""
        options = {**self._pool_options, "proxy_ssl_context": self._proxy_context}
        manager = super().proxy_manager_for(proxy, **{**kwargs, **options})
        manager.pool_classes_by_scheme = self._pool_classes
        return manager

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Find the pool by scheme, host and port alone."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the pool as it is: the context decides."""

    def reset_after_fork(self) -> None:
        """Leave the parent's connections to the parent: two processes on one would mix their responses."""
        # Kept, so that nothing closes them: that would take locks which a lost thread may hold.
        _inherited.append((self.poolmanager, self.proxy_manager))
        self.proxy_manager = {}
        args, kwargs = self._pool_sizes
        self.init_poolmanager(*args, **kwargs)


class OneRequestAdapter(OAuth2Adapter):
    """An adapter for one request on a connection of its own, whose response only this package reads.

    It does without what serves many requests and their users: pools, retries, cookies, decoding. That is CPU
    time of every new token (``python -m benchmarks.new_token``).
    """

    poolmanager: Any = None  # which only a proxy needs
    _connection: _OneConnection | None = None

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Note with what pools would be created."""
        self._pool_sizes = args, kwargs

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        """Return what sends the request; ``requests`` knows the way through a proxy."""
        if proxies:
            args, kwargs = self._pool_sizes
            super().init_poolmanager(*args, **kwargs)
            return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        url = urlsplit(request.url or "")
        options = self._pool_options if url.scheme == "https" else self._plain_options
        host, port = url.hostname or "", url.port or PORTS[url.scheme]
        kind = connection_class(url.scheme, host, port, self._any_address)
        self._connection = _OneConnection(kind(host, port, **options))
        return self._connection

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """Return what stands in the request line."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Return a response with its status and its raw body, and what libraries that mock servers read."""
        response = Response()
        response.status_code, response.raw, response.request = resp.status, resp, req
        return response

    def close(self) -> None:
        """Close the connection."""
        if self.poolmanager is not None:
            super().close()
        if self._connection is not None:
            self._connection.close()

    def reset_after_fork(self) -> None:
        """Leave the parent's connection to the parent."""
        _inherited.append((self._connection, self.poolmanager, self.proxy_manager))
        self._connection, self.poolmanager, self.proxy_manager = None, None, {}


class _OneConnection:
    """One connection, where ``requests`` expects a pool of them."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self.close = connection.close

    def urlopen(
        self, method: str, url: str, body: bytes | None, headers: Any, timeout: Timeout, **_: Any
    ) -> HTTPResponse:
        """Send a request, and return the response when its head is there."""
        connection: Any = self._connection
        connection.timeout = timeout.connect_timeout
        connection.connect()
        if isinstance(connection, HTTPSConnection) and not connection.is_verified:
            warnings.warn("the server's certificate is not verified", InsecureRequestWarning, stacklevel=2)
        # The server may have closed the connection behind a response that it has sent before it read all.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, url, body, headers, preload_content=False, decode_content=False)
        connection.timeout = timeout.read_timeout
        response: HTTPResponse = connection.getresponse()
        return response


def _reset_after_fork() -> None:
    for adapter in list(_alive):
        adapter.reset_after_fork()


os.register_at_fork(after_in_child=_reset_after_fork)
