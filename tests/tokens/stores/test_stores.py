"""One suite for every store, against real folders and a real Redis; then what is each one's own."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.tokens.stores import file_store as file_module
from airflow_oauth_provider.tokens.stores.base import MAX_ENTRY, NoLease, Reach, Store, StoreError
from airflow_oauth_provider.tokens.stores.choice import open_store
from airflow_oauth_provider.tokens.stores.file_store import FileStore, _FileLease
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.tokens.stores.memory_store import CAPACITY, MemoryStore
from airflow_oauth_provider.tokens.stores.redis_store import RedisStore
from tests.servers.redis_server import RedisServer
from tests.support.stopwatch import Stopwatch

NAME = "a1b2c3"


def soon() -> float:
    return time.time() + 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "oauth2_token_store"


@pytest.fixture(params=["memory", "file", "redis"])
def store(request: pytest.FixtureRequest, folder: Path) -> Store:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "file":
        return FileStore(folder)
    server: RedisServer = request.getfixturevalue("redis_server")
    return RedisStore(server.url)


class TestEveryStore:
    """What all of them do alike."""

    def test_entries(self, store: Store) -> None:
        assert store.read(NAME) is None
        store.delete(NAME)
        store.write(NAME, b"one", until=soon())
        store.write(NAME, b"two\0\xff", until=soon())
        assert store.read(NAME) == b"two\0\xff"
        assert store.read("other") is None
        store.delete(NAME)
        assert store.read(NAME) is None

    def test_large_entries(self, store: Store) -> None:
        store.write(NAME, b"x" * 70_000, until=soon())
        assert store.read(NAME) == b"x" * 70_000

    @pytest.mark.fault("F80")
    def test_only_what_is_meant_is_removed(self, store: Store) -> None:
        store.write(NAME, b"old", until=soon())
        store.write(NAME, b"new", until=soon())
        store.delete_if(NAME, b"old")
        assert store.read(NAME) == b"new", "somebody has put another in its place"
        store.delete_if(NAME, b"new")
        assert store.read(NAME) is None
        store.delete_if(NAME, b"new")

    @pytest.mark.fault("F80")
    def test_removing_races_with_writing(self, store: Store) -> None:
        """A hundred times one thread removes the old entry and one writes the new one: none is lost."""
        for number in range(100):
            old, new = f"old-{number}".encode(), f"new-{number}".encode()
            store.write(NAME, old, until=soon())
            remover = threading.Thread(target=store.delete_if, args=(NAME, old))
            remover.start()
            store.write(NAME, new, until=soon())
            remover.join()
            assert store.read(NAME) == new

    def test_a_lease_is_released(self, store: Store) -> None:
        lease = store.lease(NAME)
        assert lease is not None
        lease.release()
        lease.release()
        again = store.lease(NAME)
        assert again is not None
        again.release()

    def test_a_lease_is_held_by_one(self, store: Store) -> None:
        if store.kind == "memory":
            pytest.skip("within one process there is one flight per key")
        first = store.lease(NAME)
        assert first is not None
        assert store.lease(NAME) is None
        other = store.lease("other")
        assert other is not None
        other.release()
        first.release()
        second = store.lease(NAME)
        assert second is not None
        first.release()
        assert store.lease(NAME) is None, "releasing twice took nothing from the second holder"
        second.release()


class TestMemory:
    """Bounded, and gone in time."""

    def test_over_is_over(self) -> None:
        store = MemoryStore()
        store.write(NAME, b"x", until=time.time() - 1)
        assert store.read(NAME) is None

    @pytest.mark.fault("P48")
    def test_it_does_not_grow_for_ever(self) -> None:
        store = MemoryStore()
        for number in range(CAPACITY + 5):
            store.write(f"{number}", b"x", until=soon())
        assert store.read("0") is None
        assert store.read(f"{CAPACITY + 4}") == b"x"


class TestFile:
    """Nothing is believed that somebody else could have written."""

    def test_folder_and_file_are_private_whatever_the_umask(self, folder: Path) -> None:
        before = os.umask(0)
        try:
            FileStore(folder).write(NAME, b"x", until=soon())
        finally:
            os.umask(before)
        (file,) = folder.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda folder: folder.chmod(0o777), id="world-writable[P33]"),
            pytest.param(lambda folder: folder.chmod(0o750), id="group-readable[P33]"),
            pytest.param(lambda folder: os.chown(folder, 12345, -1), id="foreign-owner[P33]"),
        ],
    )
    @pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")
    def test_a_folder_that_is_not_ours_alone(self, folder: Path, spoil: Any) -> None:
        store = FileStore(folder)
        store.write(NAME, b"x", until=soon())
        spoil(folder)
        for operation in (
            lambda: store.read(NAME),
            lambda: store.write(NAME, b"y", until=soon()),
            lambda: store.lease(NAME),
        ):
            with pytest.raises(StoreError, match="oauth2_token_store"):
                operation()

    def test_a_folder_that_is_a_link(self, folder: Path, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        folder.symlink_to(elsewhere)
        with pytest.raises(StoreError):
            FileStore(folder).write(NAME, b"x", until=soon())
        assert not list(elsewhere.iterdir())

    @pytest.mark.parametrize(
        "mode", [pytest.param(mode, id=f"{mode:o}[P36]") for mode in (0o644, 0o620, 0o606)]
    )
    def test_an_entry_that_others_could_see(self, folder: Path, mode: int) -> None:
        store = FileStore(folder)
        store.write(NAME, b"x", until=soon())
        (file,) = folder.iterdir()
        file.chmod(mode)
        assert store.read(NAME) is None
        assert not file.exists()
        store.write(NAME, b"y", until=soon())
        assert store.read(NAME) == b"y"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @pytest.mark.fault("P37", "F86")
    def test_links_are_not_followed(self, folder: Path, tmp_path: Path) -> None:
        store = FileStore(folder)
        store.write(NAME, b"x", until=soon())
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        victim.chmod(0o600)
        entry = folder / f"{NAME}.sealed"
        entry.unlink()
        entry.symlink_to(victim)
        assert store.read(NAME) is None
        entry.symlink_to(victim)
        (folder / f"{NAME}.lock").symlink_to(victim)
        store.write(NAME, b"mine", until=soon())
        lease = store.lease(NAME)
        assert lease is not None
        assert store.lease(NAME) is None, "a lock of its own stands in the link's place"
        lease.release()
        assert victim.read_bytes() == b"precious"
        assert store.read(NAME) == b"mine"

    def test_a_pipe_in_place_of_an_entry_holds_nobody(self, folder: Path) -> None:
        store = FileStore(folder)
        store.write("other", b"x", until=soon())
        os.mkfifo(folder / f"{NAME}.sealed", 0o600)
        assert store.read(NAME) is None

    def test_an_entry_that_is_too_large(self, folder: Path) -> None:
        store = FileStore(folder)
        store.write(NAME, b"x" * (MAX_ENTRY + 1), until=soon())
        assert store.read(NAME) is None

    @pytest.mark.fault("P40")
    def test_leftovers_are_swept(self, folder: Path) -> None:
        store = FileStore(folder)
        store.write(NAME, b"x", until=soon())
        old, fresh = folder / f"{NAME}.aa.tmp", folder / f"{NAME}.bb.tmp"
        ended, lock = folder / "ended.sealed", folder / "ended.lock"
        for file in (old, fresh, ended, lock):
            file.touch(mode=0o600)
        long_ago = time.time() - file_module.STALE - 1
        for file in (old, ended, lock):
            os.utime(file, (long_ago, long_ago))
        assert store.read(NAME) == b"x", "what a crash left behind disturbs nobody"
        FileStore(folder).write("new", b"x", until=soon())
        assert {file.name for file in folder.iterdir()} == {f"{NAME}.sealed", "new.sealed", fresh.name}

    def test_a_lock_in_use_is_not_swept(self, folder: Path) -> None:
        store = FileStore(folder)
        lease = store.lease(NAME)
        assert lease is not None
        long_ago = time.time() - file_module.STALE - 1
        os.utime(folder / f"{NAME}.lock", (long_ago, long_ago))
        FileStore(folder).write("new", b"x", until=soon())
        assert FileStore(folder).lease(NAME) is None
        lease.release()

    @pytest.mark.fault("P39")
    def test_a_file_system_without_locks(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_lock(*_: Any) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        store = FileStore(folder)
        monkeypatch.setattr(fcntl, "flock", no_lock)
        assert isinstance(store.lease(NAME), NoLease)

    @pytest.mark.fault("P31")
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
    def test_a_full_disk(self, tmp_path: Path) -> None:
        """A real one: a file system of 64 KiB."""
        mount = tmp_path / "small"
        mount.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(mount)],
            check=False,
            capture_output=True,
        )
        if mounted.returncode:
            pytest.skip("mounting is not allowed here")
        try:
            store = FileStore(mount / "store")
            store.write(NAME, b"x", until=soon())
            with pytest.raises(StoreError, match="space"):
                store.write("large", b"x" * 90_000, until=soon())
            assert store.read(NAME) == b"x"
            assert [file.suffix for file in (mount / "store").iterdir()] == [".sealed"], (
                "nothing half written"
            )
        finally:
            subprocess.run(["umount", str(mount)], check=True)

    def test_a_folder_that_is_removed_while_in_use(self, folder: Path) -> None:
        store = FileStore(folder)
        store.write(NAME, b"x", until=soon())
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        assert store.read(NAME) is None
        store.write(NAME, b"y", until=soon())
        assert store.read(NAME) == b"y"

    def test_a_home_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError):
            FileStore(tmp_path / "none" / "store").read(NAME)

    def test_a_dead_holder_holds_nothing(self, folder: Path) -> None:
        program = f"""
import os, sys
from pathlib import Path
from airflow_oauth_provider.tokens.stores.file_store import FileStore
lease = FileStore(Path({str(folder)!r})).lease({NAME!r})
print("held", flush=True)
sys.stdin.read()
"""
        holder = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip() == "held"
            store = FileStore(folder)
            assert store.lease(NAME) is None
            holder.kill()
            holder.wait(10)
            lease = store.lease(NAME)
            assert lease is not None
            lease.release()
        finally:
            holder.kill()
            holder.communicate()

    @pytest.mark.fault("P20")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_a_forked_child_does_not_prolong_a_lock(self, folder: Path) -> None:
        store = FileStore(folder)
        lease = store.lease(NAME)
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
        try:
            assert isinstance(lease, _FileLease)
            assert lease.file is not None
            os.close(lease.file)  # as when the parent is killed
            lease.file = None
            ends_at = time.monotonic() + 5
            while (again := store.lease(NAME)) is None and time.monotonic() < ends_at:
                time.sleep(0.02)
            assert again is not None
            again.release()
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)

    @pytest.mark.fault("L03")
    def test_a_reader_sees_the_old_entry_or_the_new_one_whole(self, folder: Path) -> None:
        program = f"""
import itertools, time
from pathlib import Path
from airflow_oauth_provider.tokens.stores.file_store import FileStore
store = FileStore(Path({str(folder)!r}))
for n in itertools.count():
    store.write({NAME!r}, bytes([65 + n % 26]) * 50_000, until=time.time() + 60)
"""
        store = FileStore(folder)
        for _ in range(8):
            writer = subprocess.Popen([sys.executable, "-c", program])
            seen = 0
            ends_at = time.monotonic() + 1.0
            while time.monotonic() < ends_at or not seen:
                data = store.read(NAME)
                if data is not None:
                    seen += 1
                    assert len(data) == 50_000
                    assert len(set(data)) == 1
            writer.kill()
            writer.wait(10)
            data = store.read(NAME)
            assert data is not None
            assert len(set(data)) == 1


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

    def test_entries_end_by_themselves(self, redis_server: RedisServer) -> None:
        store = RedisStore(redis_server.url)
        store.write(NAME, b"x", until=time.time() + 0.2)
        assert store.read(NAME) == b"x"
        time.sleep(0.3)
        assert store.read(NAME) is None
        store.write(NAME, b"x", until=time.time() - 1)
        assert store.read(NAME) is None

    @pytest.mark.fault("P41")
    def test_no_server(self, unused_port: int) -> None:
        store = RedisStore(f"redis://:the-password@127.0.0.1:{unused_port}/0")
        watch = Stopwatch()
        with pytest.raises(StoreError) as caught:
            store.read(NAME)
        assert watch.seconds < 0.5
        assert "the-password" not in str(caught.value)

    @pytest.mark.fault("P42")
    def test_a_server_that_stalls(self, redis_server: RedisServer) -> None:
        store = RedisStore(redis_server.url)
        store.write(NAME, b"x", until=soon())
        redis_server.freeze()
        watch = Stopwatch()
        with pytest.raises(StoreError):
            store.read(NAME)
        assert watch.seconds < 0.6
        redis_server.thaw()
        assert store.read(NAME) == b"x"

    @pytest.mark.fault("P43")
    def test_a_server_that_may_not_be_written_to(self, unused_port: int) -> None:
        with RedisServer(replicaof=f"127.0.0.1 {unused_port}") as replica:
            store = RedisStore(replica.url)
            with pytest.raises(StoreError):
                store.write(NAME, b"x", until=soon())
            with pytest.raises(StoreError):
                store.lease(NAME)

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


class Broken:
    """A store that fails as told, and counts."""

    kind, reach = "file", Reach.HOST

    def __init__(self) -> None:
        self.works = False
        self.calls = 0
        self.inner = MemoryStore()

    def _do(self) -> MemoryStore:
        self.calls += 1
        if not self.works:
            raise StoreError("it does not work")
        return self.inner

    def read(self, name: str) -> bytes | None:
        return self._do().read(name)

    def write(self, name: str, data: bytes, *, until: float) -> None:
        self._do().write(name, data, until=until)

    def delete(self, name: str) -> None:
        self._do().delete(name)

    def delete_if(self, name: str, data: bytes) -> None:
        self._do().delete_if(name, data)

    def lease(self, name: str) -> NoLease:
        return self._do().lease(name)


class TestGuarded:
    """Speed and one warning, never a task."""

    @pytest.mark.fault("P41")
    def test_a_broken_store_is_left_alone(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = [1000.0]
        monkeypatch.setattr("airflow_oauth_provider.tokens.stores.guarded.time.monotonic", lambda: clock[0])
        broken = Broken()
        store = GuardedStore(broken)
        with caplog.at_level(logging.WARNING):
            for _ in range(5):
                assert store.read(NAME) is None
                store.write(NAME, b"x", until=soon())
                assert store.read(NAME) == b"x", "memory helps out"
                assert store.lease(NAME) is not None
                store.delete(NAME)
        assert broken.calls == 1
        assert len(caplog.records) == 1
        assert "it does not work" in caplog.text
        clock[0] += 31
        store.read(NAME)
        assert broken.calls == 2, "tried again after the pause"
        assert len(caplog.records) == 1, "and not warned of again so soon"
        clock[0] += 600
        store.read(NAME)
        assert len(caplog.records) == 2
        store.write(NAME, b"meanwhile", until=soon())
        broken.works = True
        clock[0] += 31
        store.write(NAME, b"back", until=soon())
        assert broken.inner.read(NAME) == b"back"
        broken.inner.delete(NAME)
        assert store.read(NAME) is None, "what memory held meanwhile is forgotten"

    def test_threads(self) -> None:
        store = GuardedStore(Broken())
        threads = [threading.Thread(target=store.read, args=(NAME,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class TestChoice:
    """The option ``token_store``."""

    def test_the_same_option_is_the_same_store(self, tmp_path: Path) -> None:
        assert open_store("file", tmp_path) is open_store("file", tmp_path)
        assert open_store("memory", tmp_path).kind == "memory"
        assert open_store("redis://127.0.0.1:1/0", tmp_path).kind == "redis"

    @pytest.mark.parametrize("option", ["files", "/tmp/x", "http://x", "unix:///x", "redis:/x"])
    def test_anything_else(self, option: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="must be file"):
            open_store(option, tmp_path)


@pytest.fixture(autouse=True)
def _forget_stores() -> Iterator[None]:
    yield
    open_store.cache_clear()
