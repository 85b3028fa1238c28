"""Connecting and reading have limits, also where no step of them has any, or each has one of its own."""

from __future__ import annotations

import socket
import threading
import time
from queue import SimpleQueue
from typing import Any, NoReturn

import pytest

from airflow_oauth_provider.tokens.stores import redis_connecting
from airflow_oauth_provider.tokens.stores.base import StoreError
from airflow_oauth_provider.tokens.stores.redis_store import RedisStore
from tests.support.servers.idle_cutter import IdleCutter
from tests.support.servers.redis_server import RedisServer
from tests.support.stores import soon
from tests.support.waiting import until


class Resolver:
    """Looks every name up when it is told to, and not before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.responds = threading.Event()
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, _: str, *more: Any) -> Any:
        self.responds.wait(60)
        return self._real("127.0.0.1", *more)


@pytest.fixture
def store(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> RedisStore:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more: real("127.0.0.1", *more))
    return RedisStore(f"redis://redis.example:{redis_server.port}/0")


@pytest.mark.fault("P41")
def test_a_name_that_is_not_resolved_holds_nobody(
    store: RedisStore, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver, client = Resolver(monkeypatch), redis_server.client()
    others = len(client.client_list())
    with pytest.raises(StoreError, match="TimeoutError"):
        store.read("a1b2c3")  # comes to an end, though the resolver never does
    before = client.info("stats")["total_connections_received"]
    resolver.responds.set()
    until(lambda: client.info("stats")["total_connections_received"] > before, "the late connection")
    until(lambda: len(client.client_list()) <= others, "its end")
    assert store.read("a1b2c3") is None


def test_a_task_that_is_timed_out_while_connecting_leaves_no_connection(
    store: RedisStore, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TaskTimeoutError(BaseException):
        pass

    class Interrupted(SimpleQueue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> NoReturn:
            until(lambda: not self.empty(), "the connection")
            raise TaskTimeoutError

    others = len(redis_server.client().client_list())
    monkeypatch.setattr(redis_connecting, "SimpleQueue", Interrupted)
    with pytest.raises(TaskTimeoutError):
        store.read("a1b2c3")
    until(lambda: len(redis_server.client().client_list()) <= others, "the end of its connection")


def test_where_no_thread_can_begin_redis_does_not_work(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(StoreError, match="ConnectionError"):
        store.read("a1b2c3")


@pytest.mark.fault("P42")
def test_a_response_that_drips_is_given_up(redis_server: RedisServer) -> None:
    with IdleCutter(redis_server.port) as network:
        store = RedisStore(f"redis://127.0.0.1:{network.port}/0")
        store.write("a1b2c3", b"x" * 200, until=soon())
        network.drips = True
        with pytest.raises(StoreError, match="TimeoutError"):
            store.read("a1b2c3")  # 10 s long, and never 0.25 s without a byte
        network.drips = False
        assert store.read("a1b2c3") == b"x" * 200


def test_a_connection_that_has_been_idle_for_longer_than_a_response_may_take_serves(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, client = RedisStore(redis_server.url), redis_server.client()
    store.write("a1b2c3", b"x", until=soon())
    before = client.info("stats")["total_connections_received"]
    real = time.monotonic
    monkeypatch.setattr(redis_connecting.time, "monotonic", lambda: real() + 60)  # type: ignore[attr-defined]
    assert store.read("a1b2c3") == b"x"
    assert client.info("stats")["total_connections_received"] == before


@pytest.mark.parametrize("read", ["recv", "recv_into"])
def test_both_parsers_of_the_package_redis_read_within_the_limit(read: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        timely = redis_connecting._TimelySocket(ours, 0.0)
        timely.sendall(b"command")
        argument = bytearray(4) if read == "recv_into" else 4
        with pytest.raises(TimeoutError, match="in time"):
            getattr(timely, read)(argument)
        theirs.sendall(b"x")
        timely.settimeout(0)
        until(lambda: getattr(timely, read)(argument), "what is there")
