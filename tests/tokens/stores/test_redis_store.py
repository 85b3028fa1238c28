"""Against a real server."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from redis.connection import AbstractConnection

from airflow_oauth_provider.tokens.stores.base import MAX_ENTRY, MOST_APPENDED, StoreError
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.tokens.stores.redis_store import OPERATION_TIMEOUT, RedisStore
from tests.support.servers.certificates import authority, issue
from tests.support.servers.idle_cutter import IdleCutter
from tests.support.servers.redis_server import RedisServer
from tests.support.stopwatch import Stopwatch
from tests.support.stores import soon
from tests.support.waiting import until

NAME = "a1b2c3"


def _connections(server: RedisServer) -> int:
    return len(server.client().client_list())


class TestRedis:
    """Against a real server."""

    @pytest.mark.fault("P14")
    def test_a_lease_ends_by_itself(self, redis_server: RedisServer) -> None:
        store = RedisStore(redis_server.url)
        assert store.lease(NAME) is not None
        (key,) = redis_server.client().keys("*.lease")
        assert 25_000 < redis_server.client().pttl(key) <= 30_000

    @pytest.mark.fault("P15")
    def test_nobody_releases_anothers_lease(self, redis_server: RedisServer) -> None:
        store = RedisStore(redis_server.url)
        slow = store.lease(NAME)
        assert slow is not None
        redis_server.client().delete(*redis_server.client().keys("*.lease"))  # it has run out
        assert store.lease(NAME) is not None
        slow.release()
        assert store.lease(NAME) is None

    def test_entries_end_by_themselves(
        self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = RedisStore(redis_server.url)
        store.write(NAME, b"x", until=time.time() + 300)
        assert store.read(NAME) == b"x"
        (key,) = redis_server.client().keys("*")
        assert 275_000 < redis_server.client().pttl(key) <= 300_000
        store.write(NAME, b"x", until=time.time() + 0.2)
        until(lambda: store.read(NAME) is None, "the end of the entry")
        store.write(NAME, b"x", until=time.time() - 1)
        assert store.read(NAME) is None
        monkeypatch.setattr(time, "time", lambda: 1e9)
        store.write(NAME, b"x", until=1e9)
        assert store.read(NAME) is None

    def test_its_connection_is_closed_with_it(
        self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The collector may finalize a socket before the connection that would close it.
        monkeypatch.delattr(AbstractConnection, "__del__")
        monkeypatch.delattr(redis.Redis, "__del__")
        store = RedisStore(redis_server.url)
        assert store.read(NAME) is None
        before = _connections(redis_server)
        cycle = [store]
        cycle.append(cycle)  # type: ignore[arg-type]
        del store, cycle
        gc.collect()
        until(lambda: _connections(redis_server) == before - 1, "the store's connection to be closed")

    @pytest.mark.fault("P41")
    def test_no_server(self, unused_port: int) -> None:
        store = RedisStore(f"redis://:the-password@127.0.0.1:{unused_port}/0")
        watch = Stopwatch()
        with pytest.raises(StoreError) as caught:
            store.read(NAME)
        assert watch.seconds < 0.5
        assert str(caught.value) == "Redis does not work (ConnectionError)", (
            "no address, which has a password"
        )
        assert caught.value.__cause__ is None
        operations: list[Callable[[], object]] = [
            lambda: store.write(NAME, b"x", until=soon()),
            lambda: store.delete(NAME),
            lambda: store.delete_if(NAME, b"x"),
            lambda: store.lease(NAME),
            lambda: store.append(NAME, [b"x"], until=soon()),
            lambda: store.has_appended(NAME),
            lambda: store.take_appended(NAME),
            lambda: store.drop_taken(NAME),
        ]
        for operation in operations:
            with pytest.raises(StoreError):
                operation()

    @pytest.mark.fault("P41")
    def test_a_wrong_password_is_tried_once(self, redis_server: RedisServer) -> None:
        client = redis_server.client()
        client.acl_setuser("somebody", enabled=True, passwords=["+another"])
        store = RedisStore(f"redis://somebody:the-password@127.0.0.1:{redis_server.port}/0")
        before = client.info("stats")["total_connections_received"]
        with pytest.raises(StoreError, match=r"^Redis does not work \(AuthenticationError\)$"):
            store.read(NAME)
        client.acl_deluser("somebody")
        assert client.info("stats")["total_connections_received"] == before + 1

    @pytest.mark.fault("P42")
    def test_a_server_that_stalls(self, redis_server: RedisServer) -> None:
        store = RedisStore(redis_server.url)
        store.write(NAME, b"x", until=soon())
        redis_server.freeze()
        watch = Stopwatch()
        with pytest.raises(StoreError):
            store.read(NAME)
        assert watch.seconds < 0.6
        limits = store._client.connection_pool.connection_kwargs  # which hold on a busy machine, too
        assert limits["socket_timeout"] == limits["socket_connect_timeout"] == OPERATION_TIMEOUT == 0.25
        assert limits["retry"].get_retries() == 0
        redis_server.thaw()
        assert store.read(NAME) == b"x"

    @pytest.mark.fault("P42")
    def test_a_connection_that_was_cut_while_idle_is_made_anew(self, redis_server: RedisServer) -> None:
        """Load balancers cut idle connections and say so to the next packet only."""
        with IdleCutter(redis_server.port) as balancer:
            store = GuardedStore(RedisStore(f"redis://127.0.0.1:{balancer.port}/0"))
            store.write(NAME, b"x", until=soon())
            for connections in (2, 3):
                balancer.cut()
                assert store.read(NAME) == b"x"
                assert store.lease(f"{NAME}{connections}") is not None, "the new connection serves"
                assert balancer.connections == connections

    @pytest.mark.fault("P42")
    def test_a_lease_that_cannot_be_released_runs_out_by_itself(self, redis_server: RedisServer) -> None:
        lease = RedisStore(redis_server.url).lease(NAME)
        assert lease is not None
        redis_server.freeze()
        lease.release()
        redis_server.thaw()

    def test_one_that_speaks_tls(self, tmp_path: Path, unused_port: int) -> None:
        trusted, foreign = authority(), authority("Foreign CA")
        issued = issue(trusted)
        server, ours, theirs = (tmp_path / name for name in ("server.pem", "ours.pem", "theirs.pem"))
        server.write_text(issued.key + issued.certificate)
        ours.write_text(trusted.certificate)
        theirs.write_text(foreign.certificate)
        files = {f"tls_{name}_file": str(server) for name in ("cert", "key")}
        with RedisServer(
            tls_port=str(unused_port), tls_auth_clients="no", tls_ca_cert_file=str(ours), **files
        ):
            address = f"rediss://127.0.0.1:{unused_port}/0?ssl_ca_certs="
            store = RedisStore(f"{address}{ours}")
            store.write(NAME, b"x", until=soon())
            assert store.read(NAME) == b"x"
            with pytest.raises(StoreError, match=r"^Redis does not work \(ConnectionError\)$"):
                RedisStore(f"{address}{theirs}").read(NAME)

    @pytest.mark.fault("P43")
    def test_a_server_that_may_not_be_written_to(self, unused_port: int) -> None:
        with RedisServer(replicaof=f"127.0.0.1 {unused_port}") as replica:
            store = RedisStore(replica.url)
            with pytest.raises(StoreError):
                store.write(NAME, b"x", until=soon())
            with pytest.raises(StoreError):
                store.lease(NAME)

    @pytest.mark.fault("P43")
    def test_after_a_failover_the_new_server_is_written_to(
        self, redis_server: RedisServer, unused_port: int
    ) -> None:
        """The address leads to another server then; the old one lives on as its replica."""
        with RedisServer() as old, IdleCutter(old.port) as address:
            store = RedisStore(f"redis://127.0.0.1:{address.port}/0")
            store.write(NAME, b"x", until=soon())
            old.client().replicaof("127.0.0.1", unused_port)
            address.lead_to(redis_server.port)
            with pytest.raises(StoreError, match="ReadOnlyError"):
                store.write(NAME, b"y", until=soon())
            store.write(NAME, b"y", until=soon())
        assert RedisStore(redis_server.url).read(NAME) == b"y"

    @pytest.mark.fault("P16")
    def test_a_task_timeout_leaves_no_response_to_the_next_operation(
        self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class TaskTimeoutError(BaseException):
            pass

        def interrupt(*_: object, **__: object) -> NoReturn:
            raise TaskTimeoutError

        store = RedisStore(redis_server.url)
        for name in ("one", "two"):
            store.write(name, name.encode(), until=soon())
        with monkeypatch.context() as patch:
            patch.setattr(store._client, "parse_response", interrupt)
            with pytest.raises(TaskTimeoutError):
                store.read("one")
        assert store.read("two") == b"two"
        assert store.lease("three") is not None
        assert store.lease("three") is None

    @pytest.mark.fault("P44")
    def test_a_server_that_is_full(self) -> None:
        with RedisServer(maxmemory="1mb", maxmemory_policy="noeviction") as small:
            store = RedisStore(small.url)

            def fill() -> None:
                for number in range(100):
                    store.write(f"{number}", b"x" * 50_000, until=soon())

            with pytest.raises(StoreError):
                fill()

    @pytest.mark.fault("P44")
    def test_an_evicted_entry_is_a_miss(self, redis_server: RedisServer) -> None:
        store = RedisStore(redis_server.url)
        store.write(NAME, b"x", until=soon())
        redis_server.client().flushall()
        assert store.read(NAME) is None

    @pytest.mark.fault("P45", "F22")
    def test_a_key_of_another_kind(self, redis_server: RedisServer) -> None:
        store = RedisStore(redis_server.url)
        store.write(NAME, b"x", until=soon())
        (key,) = redis_server.client().keys("*")
        redis_server.client().delete(key)
        redis_server.client().rpush(key, "a list")
        assert store.read(NAME) is None, "one bad entry; the store works"
        store.write(NAME, b"y", until=soon())
        assert store.read(NAME) == b"y"

    @pytest.mark.fault("P45", "F22")
    def test_a_key_that_has_become_another_kind_stays(self, redis_server: RedisServer) -> None:
        client, store = redis_server.client(), RedisStore(redis_server.url)
        store.write(NAME, b"x", until=soon())
        (key,) = client.keys("*")
        client.delete(key)
        client.rpush(key, "a list")
        store.delete_if(NAME, b"x")
        assert client.type(key) == b"list"

    @pytest.mark.parametrize("more", [(), ("-type",)], ids=["lists", "types"])
    def test_what_redis_does_not_allow_costs_the_history_and_no_token(
        self, redis_server: RedisServer, more: tuple[str, ...]
    ) -> None:
        client, store = redis_server.client(), GuardedStore(RedisStore(redis_server.url))
        store.write(NAME, b"token", until=soon())
        store.append(NAME, [b"one"], until=soon())
        client.execute_command("ACL", "SETUSER", "default", "-@list", "-rename", "-eval", *more)
        try:
            assert store.append(NAME, [b"two"], until=soon()) is False
            assert store.take_appended(NAME) is None
            assert store.read(NAME) == b"token", "it is not left alone"
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+@all")
        assert store.take_appended(NAME) == (b"one",)

    @pytest.mark.fault("P43")
    def test_a_server_that_may_not_be_read_is_not_an_empty_one(self, redis_server: RedisServer) -> None:
        client, store = redis_server.client(), RedisStore(redis_server.url)
        client.execute_command("ACL", "SETUSER", "default", "-getrange")
        try:
            with pytest.raises(StoreError, match="NoPermissionError"):
                store.read(NAME)
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+@all")

    def test_the_latest_of_what_is_appended_stay(self, redis_server: RedisServer) -> None:
        client, store = redis_server.client(), RedisStore(redis_server.url)
        store.append(NAME, [b"%d" % number for number in range(MOST_APPENDED + 5)], until=soon())
        (key,) = client.keys("*.appended")
        assert client.lrange(key, 0, 0) == [b"5"]
        client.rpush(key, b"by somebody else")
        assert len(store.take_appended(NAME) or ()) == MOST_APPENDED
        assert store.has_appended(NAME), "until it is dropped"
        store.drop_taken(NAME)
        assert not store.has_appended(NAME)
        assert store.take_appended(NAME) is None

    def test_keys_of_another_kind_in_the_place_of_what_is_appended(self, redis_server: RedisServer) -> None:
        client, store = redis_server.client(), RedisStore(redis_server.url)
        store.append(NAME, [b"one"], until=soon())
        (key,) = client.keys("*.appended")
        client.delete(key)
        client.set(key, "text")
        assert store.append(NAME, [b"two"], until=soon()) is False
        assert store.append(NAME, [b"three"], until=soon())
        client.set(key.replace(b"appended", b"taken"), "text")
        assert store.take_appended(NAME) == ()
        store.drop_taken(NAME)
        assert store.take_appended(NAME) == (b"three",)
        assert 0 < client.pttl(key.replace(b"appended", b"taken")) <= 60_000

    @pytest.mark.fault("F22")
    def test_of_what_is_too_large_no_more_is_fetched(self, redis_server: RedisServer) -> None:
        """Whoever writes to Redis must not fill the memory of all who read from it."""
        client, store = redis_server.client(), RedisStore(redis_server.url)
        store.write(NAME, b"x", until=soon())
        store.append(NAME, [b"one"], until=soon())
        (entry,), (lines,) = client.keys(f"*:{NAME}"), client.keys("*.appended")
        client.set(entry, b"x" * MAX_ENTRY)
        assert store.read(NAME) == b"x" * MAX_ENTRY
        client.set(entry, b"x" * 4_000_000)
        client.rpush(lines, b"x" * 4_000_000, b"two")
        before = client.info("stats")["total_net_output_bytes"]
        assert store.read(NAME) is None
        assert store.take_appended(NAME) == (b"one", b"two")
        assert client.info("stats")["total_net_output_bytes"] - before < 1_000_000
