"""The ``requests`` adapter under token requests and API calls."""

from __future__ import annotations

import os
import ssl
import weakref
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from airflow_oauth_provider.transport.network_options import NetworkOptions
from airflow_oauth_provider.transport.sockets import AnyAddress, pool_classes

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

    It does without what serves many requests and their users: pools by host, cookies, decoding. That is CPU
    time of every new token (``python -m benchmarks.new_token``).
    """

    _pool: HTTPConnectionPool | None = None

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        """Return a pool for the request; ``requests`` knows the way through a proxy."""
        if proxies:
            return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        url = urlsplit(request.url or "")
        options = self._pool_options if url.scheme == "https" else self._plain_options
        self._pool = self._pool_classes[url.scheme](url.hostname or "", url.port, **options)
        return self._pool

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
        super().close()
        if self._pool is not None:
            self._pool.close()

    def reset_after_fork(self) -> None:
        """Leave the parent's connection to the parent."""
        super().reset_after_fork()
        _inherited.append(self._pool)
        self._pool = None


def _reset_after_fork() -> None:
    for adapter in list(_alive):
        adapter.reset_after_fork()


os.register_at_fork(after_in_child=_reset_after_fork)
