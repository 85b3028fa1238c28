"""What processes append to a file of the folder, and one of them takes away.

Rules:

* To append is one write with ``O_APPEND``: two processes never mix their lines, and read nothing.
* Who takes renames the file first, so that what comes later goes into a new one, and then waits for the
  writers that have opened it before: they hold a shared lock for the length of their write.
* A writer that finds its file locked, or under another name, opens the new one.
* What was taken stays until it is dropped: one who dies in between loses nothing.
* A file that nobody takes is put aside when it is full, in place of the one put aside before: so the newest
  lines stay, and the disk does not fill.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from airflow_oauth_provider.tokens.stores.base import MOST_APPENDED
from airflow_oauth_provider.tokens.stores.private_files import (
    CAREFUL,
    IN_THE_WAY,
    NO_LOCKS,
    is_private_file,
    is_same,
    put_aside,
    write_all,
)

APPENDED, FULL, TAKEN = ".appended", ".full", ".taken"
LONGEST_LINE = 256
"""Bytes of one line, its end included."""
LARGEST = MOST_APPENDED * LONGEST_LINE // 2
"""Bytes from which a file is full; two of them may lie there."""
_ATTEMPTS = 8
_TO_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | CAREFUL
_WAIT = 0.1
"""Seconds that one who takes waits for those who write."""


def append(folder: int, name: str, items: Iterable[bytes], until: float) -> bool:
    """Append a line for each item.

    :param folder: descriptor of it.
    :param until: seconds since the epoch from which nobody needs them.
    :return: false when the file was taken away again and again meanwhile.
    """
    # The end of a line stands before it: what a full disk has cut short spoils no other line.
    lines = b"".join(b"\n" + base64.b64encode(item) for item in items)
    for _ in range(_ATTEMPTS):
        try:
            file = os.open(name + APPENDED, _TO_APPEND, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno not in IN_THE_WAY:
                raise
            put_aside(name + APPENDED, folder)  # somebody's leftover
            continue
        try:
            if _is_ready(file, folder, name):
                write_all(file, lines)
                os.utime(file, (until, until))
                return True
        finally:
            os.close(file)
    return False


def _is_ready(file: int, folder: int, name: str) -> bool:
    """Whether this is the file to write to, and will be until it is closed."""
    status = os.fstat(file)
    if not is_private_file(status):
        put_aside(name + APPENDED, folder)
        return False
    if status.st_size >= LARGEST:
        with suppress(FileNotFoundError):
            os.rename(name + APPENDED, name + FULL, src_dir_fd=folder, dst_dir_fd=folder)
        return False
    return _locked(file, fcntl.LOCK_SH) and is_same(status, name + APPENDED, folder)


def has_appended(folder: int, name: str) -> bool:
    """Whether there is anything to take."""
    for kind in (APPENDED, TAKEN, FULL):
        with suppress(FileNotFoundError):
            os.stat(name + kind, dir_fd=folder, follow_symlinks=False)
            return True
    return False


def take(folder: int, name: str) -> tuple[bytes, ...] | None:
    """Set lines apart, the oldest first, and return their items; the same again until they are dropped.

    :return: ``None`` when there is nothing, or somebody still writes to it.
    """
    for kind in (TAKEN, FULL, APPENDED):
        with suppress(FileNotFoundError):
            if kind != TAKEN:
                os.rename(name + kind, name + TAKEN, src_dir_fd=folder, dst_dir_fd=folder)
            content = _content(folder, name)
            return None if content is None else tuple(_items(content))
    return None


def drop(folder: int, name: str) -> None:
    """Remove what was taken."""
    put_aside(name + TAKEN, folder)


def _content(folder: int, name: str) -> bytes | None:
    """Return what was taken; ``None`` while somebody writes to it: one that was stopped in the middle."""
    try:
        file = os.open(name + TAKEN, os.O_RDONLY | CAREFUL, dir_fd=folder)
    except OSError as error:
        if error.errno not in IN_THE_WAY:
            raise
        put_aside(name + TAKEN, folder)
        return b""
    try:
        if not is_private_file(os.fstat(file)):
            put_aside(name + TAKEN, folder)
            return b""
        until = time.monotonic() + _WAIT
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > until:
                return None
            time.sleep(0.001)
        return _read(file, 2 * LARGEST)
    finally:
        os.close(file)


def _locked(file: int, kind: int) -> bool:
    """Take a lock without waiting; on a file system without locks everybody has it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno in NO_LOCKS
    return True


def _read(file: int, most: int) -> bytes:
    parts, left = [], most
    while left > 0 and (part := os.read(file, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _items(content: bytes) -> Iterator[bytes]:
    """Yield what lines hold; what is no line of ours is skipped."""
    for line in content.split(b"\n"):
        if 0 < len(line) < LONGEST_LINE:
            with suppress(binascii.Error):
                yield base64.b64decode(line, validate=True)
