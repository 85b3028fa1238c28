"""Nothing is believed that somebody else could have written."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.tokens.stores import file_store as file_module
from airflow_oauth_provider.tokens.stores.base import MAX_ENTRY, NoLease, StoreError
from airflow_oauth_provider.tokens.stores.file_store import FileStore, _FileLease
from tests.support.stores import soon

NAME = "a1b2c3"


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

    @pytest.mark.fault("F83")
    def test_a_lease_that_an_exception_has_lost_is_free(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Airflow's timeout of a task raises one at any place; the lock would hold up all others."""
        store, flock = FileStore(folder), fcntl.flock

        def interrupted(file: int, kind: int) -> None:
            monkeypatch.setattr(fcntl, "flock", flock)
            flock(file, kind)
            raise KeyboardInterrupt

        monkeypatch.setattr(fcntl, "flock", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.lease(NAME)
        gc.collect()
        store.lease(NAME)  # and nobody holds on to it
        gc.collect()
        lease = FileStore(folder).lease(NAME)
        assert lease is not None
        lease.release()

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

    @pytest.mark.fault("F22", "F86")
    @pytest.mark.parametrize("what", ["a folder", "a folder with files", "a socket", "a link to itself"])
    @pytest.mark.parametrize("kind", ["sealed", "lock"])
    def test_one_bad_entry_costs_no_other(self, folder: Path, kind: str, what: str) -> None:
        """A store that fails is left alone for a while, with all that others have in it."""
        store = FileStore(folder)
        store.write("other", b"x", until=soon())

        def spoil() -> None:
            bad = folder / f"{NAME}.{kind}"
            if bad.is_dir():
                bad.rename(folder / str(time.monotonic_ns()))
            bad.unlink(missing_ok=True)
            if what.startswith("a folder"):
                bad.mkdir()
            elif what == "a socket":
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(f"/proc/self/fd/{opened}/{bad.name}")
            else:
                bad.symlink_to(bad)
            if what.endswith("with files"):
                (bad / "precious").write_text("x")

        opened = os.open(folder, os.O_RDONLY)
        try:
            spoil()
            assert store.read(NAME) is None
            store.write(NAME, b"mine", until=soon())
            spoil()
            store.write(NAME, b"mine", until=soon())
            assert store.read(NAME) == b"mine"
            lease = store.lease(NAME)
            assert lease is not None
            assert store.lease(NAME) is None
            lease.release()
            spoil()
            store.delete(NAME)
            assert store.read(NAME) is None
        finally:
            os.close(opened)
        assert store.read("other") == b"x"

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
            holder.wait(60)
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
            os.close(lease.descriptor)  # as when the parent is killed
            lease.descriptor = file_module._CLOSED
            ends_at = time.monotonic() + 60
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
            writer.wait(60)
            data = store.read(NAME)
            assert data is not None
            assert len(set(data)) == 1
