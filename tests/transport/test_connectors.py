from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from typing import Any, NoReturn

import pytest

from airflow_oauth_provider.transport import connectors
from airflow_oauth_provider.transport.connectors import Resolver, shared_connector
from airflow_oauth_provider.transport.network_options import NetworkOptions
from airflow_oauth_provider.transport.proxies import Proxy
from airflow_oauth_provider.transport.sockets import AddressRefusedError

OPTIONS = NetworkOptions(ssl.create_default_context())


def nowhere(_host: str, _port: int) -> bool:
    return False


def test_equal_options_share_a_connector_while_somebody_uses_it() -> None:
    async def main() -> None:
        one, two = shared_connector(OPTIONS), shared_connector(NetworkOptions(OPTIONS.context))
        assert one is two
        assert shared_connector(NetworkOptions(OPTIONS.context, ("api.example",))) is not one
        await one.leave()
        assert not one.connector.closed
        await two.leave()
        assert one.connector.closed
        assert shared_connector(OPTIONS) is not one

    asyncio.run(main())


def test_whoever_leaves_last_ends_the_timers() -> None:
    async def main() -> list[bool]:
        loop, cancelled = asyncio.get_running_loop(), []
        later = loop.call_later

        def noted(*arguments: Any, **options: Any) -> asyncio.TimerHandle:
            handle = later(*arguments, **options)
            cancelled.append(handle)
            return handle

        shared = shared_connector(OPTIONS)
        loop.call_later = noted  # type: ignore[method-assign, assignment]
        shared.head_timers.begin(600.0).sent(None)
        del loop.call_later
        await shared.leave()
        return [handle.cancelled() for handle in cancelled]

    assert asyncio.run(main()) == [True]


def test_a_proxy_may_have_any_address_and_its_sockets_the_options_of_all() -> None:
    async def main() -> tuple[set[str], int]:
        keep_alive = socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
        shared = shared_connector(NetworkOptions(OPTIONS.context, (), (keep_alive,)))
        shared.add_proxy(Proxy("http://proxy.example:3128", "HTTPS_PROXY", "proxy.example", 3128))
        with shared._socket((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ())) as sock:
            kept = sock.getsockopt(*keep_alive[:2])
        await shared.leave()
        return shared.resolver.proxies, kept

    proxies, kept = asyncio.run(main())
    assert proxies == {"proxy.example"}
    assert kept


def test_each_loop_has_its_own() -> None:
    async def made() -> Any:
        connector = shared_connector(OPTIONS)
        await connector.leave()
        return connector

    assert asyncio.run(made()) is not asyncio.run(made())


def responding(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.fault("F23")
def test_addresses_that_no_server_has_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    responding(monkeypatch, "169.254.169.254", "192.0.2.7")

    async def resolved(resolver: Resolver) -> list[str]:
        return [entry["host"] for entry in await resolver.resolve("api.example", 443)]

    assert asyncio.run(resolved(Resolver(nowhere))) == ["192.0.2.7"]
    assert asyncio.run(resolved(Resolver(lambda *_: True))) == ["169.254.169.254", "192.0.2.7"]
    own = Resolver(lambda host, port: (host, port) == ("api.example", 443))
    assert len(asyncio.run(resolved(own))) == 2
    others = Resolver(lambda host, port: (host, port) in {("api.example", 8443), ("example", 443)})
    assert asyncio.run(resolved(others)) == ["192.0.2.7"]
    for_proxy = Resolver(nowhere)
    for_proxy.proxies.add("api.example")
    assert len(asyncio.run(resolved(for_proxy))) == 2
    responding(monkeypatch, "169.254.169.254")
    with pytest.raises(AddressRefusedError):
        asyncio.run(resolved(Resolver(nowhere)))


@pytest.mark.parametrize(
    "error", [UnicodeError("label too long"), socket.gaierror(socket.EAI_NONAME, "label too long")]
)
def test_a_name_that_cannot_be_looked_up(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(socket.gaierror, match="too long"):
        asyncio.run(Resolver(nowhere).resolve("x" * 70 + ".example"))


def test_a_name_server_that_hangs_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(60))
    monkeypatch.setattr(connectors, "LOOKUP_TIMEOUT", 0.1)

    async def main() -> None:
        with pytest.raises(socket.gaierror, match="in time"):
            await Resolver(nowhere).resolve("api.example")

    try:
        asyncio.run(main())
    finally:
        ended.set()


@pytest.mark.fault("F12")
def test_where_no_thread_can_begin_no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    async def resolved() -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            return await Resolver(nowhere).resolve("api.example", 443)

    with pytest.raises(OSError, match="no more threads"):
        asyncio.run(resolved())
