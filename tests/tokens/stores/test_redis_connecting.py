"""Connecting has a limit, also where a name is looked up, which has none of its own."""

from __future__ import annotations

import socket
import threading
from queue import SimpleQueue
from typing import Any, NoReturn

import pytest

from airflow_oauth_provider.tokens.stores import redis_connecting
from airflow_oauth_provider.tokens.stores.base import StoreError
from airflow_oauth_provider.tokens.stores.redis_store import RedisStore
from tests.support.servers.redis_server import RedisServer
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
    until(lambda: len(client.client_list()) == others, "its end")
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
    until(lambda: len(redis_server.client().client_list()) == others, "the end of its connection")


def test_where_no_thread_can_begin_redis_does_not_work(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(StoreError, match="ConnectionError"):
        store.read("a1b2c3")
