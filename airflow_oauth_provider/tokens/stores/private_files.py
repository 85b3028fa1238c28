"""Files and folders that are ours alone; nothing is believed that somebody else could have written."""

from __future__ import annotations

import errno
import os
import secrets
import stat

# No symbolic link, no handing down to programs started, no waiting for the other end of a pipe.
CAREFUL = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
"""What a file system without locks responds."""

IN_THE_WAY = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES, errno.EPERM})
"""What opening responds where no file of ours lies: a link, a folder, a socket, somebody else's file."""
ASIDE = ".tmp"
"""How names end of what was put aside, or is not whole yet."""


def is_private_file(status: os.stat_result) -> bool:
    """Whether it is a file, our own, and open to nobody else."""
    return stat.S_ISREG(status.st_mode) and _is_ours(status)


def is_private_folder(status: os.stat_result) -> bool:
    """Whether it is a folder, our own, and open to nobody else."""
    return stat.S_ISDIR(status.st_mode) and _is_ours(status)


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def is_same(opened: os.stat_result, name: str, folder: int) -> bool:
    """Whether an opened file still lies under its name."""
    try:
        current = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (opened.st_dev, opened.st_ino) == (current.st_dev, current.st_ino)


def write_all(file: int, data: bytes) -> None:
    """Write it all, in one step where the system does."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def put_aside(name: str, folder: int) -> None:
    """Take away what lies in the place of a file of ours: one bad entry is no reason to give up the others.

    A folder, which may hold anything, gets another name.

    :raises OSError: when the folder that all lie in does not allow it.
    """
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        os.rename(name, f"{name}.{secrets.token_hex(8)}{ASIDE}", src_dir_fd=folder, dst_dir_fd=folder)
