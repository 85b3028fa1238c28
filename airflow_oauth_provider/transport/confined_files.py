"""Read a small file that somebody else keeps: a secret that an agent rotates, an assertion of a platform.

Rules:

* A file is opened once, and without blocking: nobody waits for the writer of a fifo.
* What is checked is the open descriptor, so nobody can exchange the file after the check.
* Symlinks may lead anywhere within the folder, and nowhere out of it: platforms exchange the files of a
  folder by one symlink (Kubernetes: ``token`` → ``..data/token``, ``..data`` → a folder with a date), and
  whoever can write there must not have any file of this machine sent.
* No error repeats the path or any of the content.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_REASONS = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "does not exist",
    errno.EACCES: "may not be read by the user that Airflow runs as",
    errno.EPERM: "may not be read by the user that Airflow runs as",
    errno.ELOOP: "is a symlink that leads in a circle",
    errno.ENXIO: "is no regular file",
    errno.ENAMETOOLONG: "has a name that is too long",
}
_PATH_BYTES = 4096
_EXCHANGED = 4
"""Times that a folder may be exchanged while one of its files is opened."""


class ConfinedFileError(Exception):
    """The file cannot be used; the message is the rest of a sentence about it."""


def read_confined(path: str, folder: str, *, limit: int) -> bytes:
    """Return what a file holds.

    :param path: absolute.
    :param folder: that the file itself must lie in, behind all symlinks.
    :param limit: bytes it may have at most.
    :raises ConfinedFileError: when it is no such file.
    """
    reason = None
    try:
        descriptor = _opened(path)
    except OSError as error:
        reason = _reason(error)
    except ValueError:  # a NUL in the path
        reason = _REASONS[errno.ENOENT]
    if reason is not None:
        raise ConfinedFileError(reason)
    try:
        return _content(descriptor, folder, limit)
    finally:
        os.close(descriptor)


def _opened(path: str) -> int:
    """Open a file; while its folder is exchanged, a symlink may lead to one that was removed just then.

    :raises OSError: when it cannot be opened.
    """
    for _ in range(_EXCHANGED):
        try:
            return os.open(path, _FLAGS)
        except FileNotFoundError:
            if not os.path.lexists(path):
                break
    return os.open(path, _FLAGS)


def _content(descriptor: int, folder: str, limit: int) -> bytes:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise ConfinedFileError("is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise ConfinedFileError("is no regular file")
    if not _lies_in(_real_path(descriptor), folder):
        raise ConfinedFileError("is a symlink that leads out of its folder")
    if status.st_size > limit:
        raise ConfinedFileError(_too_large(limit))
    reason = None
    try:
        content = _bytes(descriptor, limit)
    except OSError as error:
        reason = _reason(error)
    else:
        if content is not None:
            return content
        reason = _too_large(limit)
    raise ConfinedFileError(reason)


def _bytes(descriptor: int, limit: int) -> bytes | None:
    """Return all bytes; ``None`` where there are more than *limit*, for the file may have grown since."""
    content = bytearray()
    while len(content) <= limit and (chunk := os.read(descriptor, limit + 1 - len(content))):
        content += chunk
    return bytes(content) if len(content) <= limit else None


def _too_large(limit: int) -> str:
    return f"is larger than {limit // 1024} KiB"


def _real_path(descriptor: int) -> str | None:
    """Return where an open file lies; ``None`` where the system does not tell."""
    with suppress(OSError):
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115  (a Path would change it)
    get_path = getattr(fcntl, "F_GETPATH", None)  # macOS
    if get_path is None:
        return None
    with suppress(OSError):
        return os.fsdecode(fcntl.fcntl(descriptor, get_path, bytes(_PATH_BYTES)).split(b"\0", 1)[0])
    return None


def _lies_in(real_path: str | None, folder: str) -> bool:
    return real_path is not None and real_path.startswith(os.path.realpath(folder).rstrip("/") + "/")


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or f"cannot be read ({errno.errorcode.get(error.errno or 0, '?')})"
