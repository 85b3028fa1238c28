"""Entries in a folder of this host, which nobody but its owner may enter.

Each entry is a file, put in place by rename: a reader sees the old one or the new one whole. Its
time of modification is the time from which it may be swept. Leases are ``flock`` locks, which the
kernel releases when their holder dies. No symbolic link is followed, and nothing is believed that
somebody else could have written.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from airflow_oauth_provider.tokens.stores import appended_files
from airflow_oauth_provider.tokens.stores.base import MAX_ENTRY, Lease, NoLease, Reach, StoreError
from airflow_oauth_provider.tokens.stores.private_files import (
    ASIDE,
    CAREFUL,
    IN_THE_WAY,
    NO_LOCKS,
    is_private_file,
    is_private_folder,
    is_same,
    put_aside,
    write_all,
)

log = logging.getLogger(__name__)

_ENTRY, _TEMPORARY, _LOCK = ".sealed", ASIDE, ".lock"
SWEEP_INTERVAL = 600.0
STALE = 3600.0
"""Seconds after which a temporary file or an unused lock is a leftover."""
_LINES = (appended_files.APPENDED, appended_files.FULL, appended_files.TAKEN)

_CLOSED = -1
_held: WeakSet[_FileLease] = WeakSet()


class FileStore:
    """A store in a folder of this host.

    :param folder: made when first needed; its parent must exist.
    """

    kind = "file"
    reach = Reach.HOST

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._next_sweep = 0.0

    def read(self, name: str) -> bytes | None:
        """Return an entry; one that others could read or write is removed instead."""
        with self._entered() as folder:
            try:
                file = os.open(name + _ENTRY, os.O_RDONLY | CAREFUL, dir_fd=folder)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno not in IN_THE_WAY:
                    raise
                put_aside(name + _ENTRY, folder)
                return None
            try:
                if not is_private_file(os.fstat(file)):
                    put_aside(name + _ENTRY, folder)
                    return None
                return _content(file)
            finally:
                os.close(file)

    def write(self, name: str, data: bytes, *, until: float) -> None:
        """Put an entry in place."""
        with self._entered() as folder:
            temporary = f"{name}.{secrets.token_hex(8)}{_TEMPORARY}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAREFUL
            file = os.open(temporary, flags, 0o600, dir_fd=folder)
            try:
                try:
                    os.fchmod(file, 0o600)  # whatever the umask
                    write_all(file, data)
                    os.utime(file, (until, until))
                finally:
                    os.close(file)
                _put_in_place(temporary, name + _ENTRY, folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            self._sweep_now_and_then(folder)

    def delete(self, name: str) -> None:
        """Remove an entry."""
        with self._entered() as folder:
            put_aside(name + _ENTRY, folder)

    def delete_if(self, name: str, data: bytes) -> None:
        """Remove an entry that still is *data*.

        Taken out of the way first and compared then, since nothing compares and removes a file in one
        step. One that was put in place in between goes back, unless there is a newer one again.
        """
        if self.read(name) != data:
            return
        taken = f"{name}.{secrets.token_hex(8)}{_TEMPORARY}"
        with self._entered() as folder, suppress(FileNotFoundError):
            os.rename(name + _ENTRY, taken, src_dir_fd=folder, dst_dir_fd=folder)
            file = os.open(taken, os.O_RDONLY | CAREFUL, dir_fd=folder)
            try:
                if _content(file) != data:
                    with suppress(FileExistsError):
                        os.link(taken, name + _ENTRY, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                os.close(file)
                os.unlink(taken, dir_fd=folder)

    def lease(self, name: str) -> Lease | None:
        """Take a lock; on a file system without locks everybody gets one."""
        with self._entered() as folder:
            lease = _FileLease(_opened_lock(name + _LOCK, folder))
            try:
                fcntl.flock(lease.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A sweep may have removed the file between opening and locking: then this is no lock.
                if is_same(os.fstat(lease.descriptor), name + _LOCK, folder):
                    os.utime(lease.descriptor)
                    return lease
                lease.release()
            except BlockingIOError:
                lease.release()
            except OSError as error:
                lease.release()
                if error.errno in NO_LOCKS:
                    return NoLease()
                raise
        return None

    def append(self, name: str, items: Iterable[bytes], *, until: float) -> bool:
        """Append lines to a file; what is in their way is no reason to do without tokens."""
        with self._entered() as folder, suppress(OSError):
            return appended_files.append(folder, name, items, until)
        return False

    def has_appended(self, name: str) -> bool:
        """Look for the file, and for one that was taken."""
        with self._entered() as folder, suppress(OSError):
            return appended_files.has_appended(folder, name)
        return False

    def take_appended(self, name: str) -> tuple[bytes, ...] | None:
        """Put the file aside."""
        with self._entered() as folder, suppress(OSError):
            return appended_files.take(folder, name)
        return None

    def drop_taken(self, name: str) -> None:
        """Remove the file that was put aside."""
        with self._entered() as folder, suppress(OSError):
            appended_files.drop(folder, name)

    @contextmanager
    def _entered(self) -> Iterator[int]:
        """Open the folder, which must be ours alone.

        :raises StoreError: for every way in which it, or what is done in it, fails.
        """
        try:
            folder = self._opened()
            try:
                if not is_private_folder(os.fstat(folder)):
                    raise StoreError(
                        f"the folder {self.folder} belongs to another user or can be entered by others: "
                        f"make it your own with mode 700, or remove it"
                    )
                yield folder
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreError(f"the folder {self.folder} does not work: {error.strerror or error}") from None

    def _opened(self) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | CAREFUL
        try:
            return os.open(self.folder, flags)
        except FileNotFoundError:
            with suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)
            return os.open(self.folder, flags)

    def _sweep_now_and_then(self, folder: int) -> None:
        now = time.time()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_INTERVAL
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    _sweep(entry.name, entry.stat(follow_symlinks=False).st_mtime, now, folder)


def _sweep(name: str, modified: float, now: float, folder: int) -> None:
    # Lines have the time of their last write, until who writes them has set another.
    if (name.endswith(_ENTRY) and modified < now) or (
        name.endswith((_TEMPORARY, *_LINES)) and modified < now - STALE
    ):
        os.unlink(name, dir_fd=folder)
    elif name.endswith(_LOCK) and modified < now - STALE:
        _remove_unused_lock(name, folder)


def _remove_unused_lock(name: str, folder: int) -> None:
    file = os.open(name, os.O_RDWR | CAREFUL, dir_fd=folder)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder)
    finally:
        os.close(file)


class _FileLease:
    """Holds a lock as long as somebody holds it: one that an exception has lost must not outlive that.

    :param descriptor: of the lock's file.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        _held.add(self)

    def release(self) -> None:
        """Unlock, once; a forked child has closed its copy, so the lock ends with this."""
        _held.discard(self)
        file, self.descriptor = self.descriptor, _CLOSED
        if file != _CLOSED:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def __del__(self) -> None:
        with suppress(Exception):  # an interpreter that is ending
            self.release()


def _put_in_place(temporary: str, name: str, folder: int) -> None:
    try:
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except IsADirectoryError:
        put_aside(name, folder)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def _opened_lock(name: str, folder: int) -> int:
    """Open a lock file; what else lies in its place is somebody's leftover, and goes."""
    flags = os.O_RDWR | os.O_CREAT | CAREFUL
    try:
        return os.open(name, flags, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno not in IN_THE_WAY:
            raise
    log.warning(
        "What is no file of ours lay in the place of a lock of the token store; it has been put aside"
    )
    put_aside(name, folder)
    return os.open(name, flags, 0o600, dir_fd=folder)


def _content(file: int) -> bytes | None:
    data = os.read(file, MAX_ENTRY + 1)
    return data if len(data) <= MAX_ENTRY else None


def _close_in_child() -> None:
    """Let go of the parent's locks: they belong to the open files, and would outlive the parent here."""
    for lease in tuple(_held):
        if lease.descriptor != _CLOSED:
            os.close(lease.descriptor)
            lease.descriptor = _CLOSED
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
