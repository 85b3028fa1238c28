from __future__ import annotations

import os
import socket
import ssl
from typing import Any

import pytest
import requests
from urllib3.connection import HTTPConnection
from urllib3.util import Timeout

from airflow_oauth_provider.transport import adapter as adapter_module
from airflow_oauth_provider.transport.adapter import OAuth2Adapter, OneRequestAdapter
from airflow_oauth_provider.transport.network_options import NetworkOptions
from tests.support.servers.proxy import Proxy
from tests.support.servers.scripted import ScriptedServer, Text


def session(**options: object) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    adapter = OAuth2Adapter(ssl.create_default_context(), **options)  # type: ignore[arg-type]
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def connection_of(adapter: OneRequestAdapter) -> Any:
    assert adapter._connection is not None
    return adapter._connection._connection


def test_one_connection_serves_many_calls(scripted: ScriptedServer) -> None:
    scripted.script(Text(body="x"))
    with session() as client:
        for _ in range(3):
            assert client.get(scripted.url).text == "x"
    assert scripted.connections == 1


@pytest.mark.parametrize("verify", [True, False, "/no/such/file"])
def test_verify_changes_nothing(scripted: ScriptedServer, verify: bool | str) -> None:
    """Neither what a caller says nor another pool: the context decides alone."""
    scripted.script(Text(body="x"))
    with session() as client:
        client.get(scripted.url)
        assert client.get(scripted.url, verify=verify).text == "x"
    assert scripted.connections == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_uses_no_connection_of_its_parent(scripted: ScriptedServer) -> None:
    scripted.script(Text(body="x"))
    with session() as client:
        client.get(scripted.url)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if client.get(scripted.url, timeout=30).text == "x" else 1
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        client.get(scripted.url)
    assert [request.connection for request in scripted.requests] == [1, 2, 1]


def test_socket_options_reach_the_socket(scripted: ScriptedServer) -> None:
    scripted.script(Text(body="x"))
    with session(socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]) as client:
        response = client.get(scripted.url, stream=True)
        connection: Any = response.raw.connection
        sock = connection.sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0, "instead of urllib3's own"
        response.close()


@pytest.mark.parametrize("kind", [OAuth2Adapter, OneRequestAdapter])
def test_a_proxy_is_shown_no_client_certificate(kind: type[OAuth2Adapter]) -> None:
    """Towards it the connection's own context is not used, which may hold one."""
    own, elsewhere = ssl.create_default_context(), ssl.create_default_context()
    options = NetworkOptions(own, socket_options=((1, 2, 3),), context_elsewhere=elsewhere)
    manager = kind.of(options).proxy_manager_for("https://proxy.example:3128")
    assert manager.proxy_config.ssl_context is elsewhere
    assert manager.connection_pool_kw["ssl_context"] is own
    assert manager.connection_pool_kw["socket_options"] == [(1, 2, 3)]


class TestOneRequest:
    """The adapter under token requests."""

    def test_it_has_the_connection_of_its_request_and_closes_it(self, scripted: ScriptedServer) -> None:
        scripted.script(Text(body="x"))
        adapter = OneRequestAdapter(ssl.create_default_context(), socket_options=[])
        request = requests.Request("GET", scripted.url, headers={"Cookie": "a=b"}).prepare()
        response = adapter.send(request, stream=True, timeout=30)
        assert (response.status_code, response.raw.read()) == (200, b"x")
        connection = connection_of(adapter)
        assert connection.sock is not None
        adapter.close()
        assert connection.sock is None

    def test_its_socket_is_as_the_connection_says(self, scripted: ScriptedServer) -> None:
        scripted.script(Text(body="x"))
        options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        adapter = OneRequestAdapter(ssl.create_default_context(), socket_options=options)
        response = adapter.send(requests.Request("GET", scripted.url).prepare(), stream=True, timeout=30)
        assert response.status_code == 200
        assert connection_of(adapter).sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        adapter.close()

    def test_through_a_proxy(self, proxy: Proxy, scripted: ScriptedServer) -> None:
        """Which is told the whole address; its connection is closed, too."""
        scripted.script(Text(body="x"))
        adapter = OneRequestAdapter(ssl.create_default_context())
        request = requests.Request("GET", f"{scripted.url}/y").prepare()
        response = adapter.send(request, stream=True, timeout=30, proxies={"http": proxy.url})
        assert (response.status_code, response.raw.read()) == (200, b"x")
        assert response.request is request
        assert scripted.requests[0].target == "/y"
        assert "127.0.0.1" in proxy.log
        (manager,) = adapter.proxy_manager.values()
        assert len(manager.pools) == 1
        adapter.close()
        assert len(manager.pools) == 0

    def test_a_child_leaves_the_connection_to_its_parent(self, scripted: ScriptedServer) -> None:
        scripted.script(Text(body="x"))
        adapter = OneRequestAdapter(ssl.create_default_context())
        adapter.send(requests.Request("GET", scripted.url).prepare(), stream=True, timeout=30)
        parents: Any = adapter._connection
        manager = adapter.proxy_manager_for("http://127.0.0.1:9")
        adapter.reset_after_fork()
        assert adapter.proxy_manager == {}
        adapter.close()
        assert parents._connection.sock is not None, "closing takes locks which a lost thread may hold"
        assert manager.pools is not None
        assert any(parents in kept for kept in adapter_module._inherited if isinstance(kept, tuple))
        parents.close()

    @pytest.mark.parametrize("cut", [BrokenPipeError, ConnectionResetError])
    def test_a_response_that_comes_before_all_is_read(self, cut: type[OSError]) -> None:
        """As from servers that refuse a request by its head, and close the connection."""

        class Closed(HTTPConnection):
            def connect(self) -> None:
                pass

            def request(self, *_: object, **__: object) -> None:
                raise cut

            def getresponse(self) -> Any:
                return self

        connection = Closed("127.0.0.1")
        sending = adapter_module._OneConnection(connection)
        response: Any = sending.urlopen("POST", "/", b"x", {}, Timeout(connect=1, read=1))
        assert response is connection

    def test_where_a_request_goes(self) -> None:
        adapter = OneRequestAdapter(ssl.create_default_context())
        for url, expected in (
            ("https://[::1]/x", ("::1", 443)),
            ("http://LOCALHOST/x", ("localhost", 80)),
            ("http://127.0.0.1:9/x", ("127.0.0.1", 9)),
        ):
            request = requests.Request("GET", url).prepare()
            connection = adapter.get_connection_with_tls_context(request, True)._connection
            assert (connection.host, connection.port) == expected
        adapter.close()
