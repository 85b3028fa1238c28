"""A folder as Kubernetes mounts secrets and projected tokens: exchanged whole, by one symlink."""

from __future__ import annotations

import itertools
from pathlib import Path


class Mounted:
    """``name`` → ``..data/name``, and ``..data`` → a folder with a date.

    The names are those of the kubelet's atomic writer.

    :param folder: where it is mounted.
    """

    def __init__(self, folder: Path, **files: str | bytes) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        folder.mkdir(parents=True, exist_ok=True)
        self.exchange(**files)

    def path(self, name: str) -> Path:
        """Return the path by which a file is known."""
        return self.folder / name

    def exchange(self, **files: str | bytes) -> None:
        """Replace all files at once, and remove those that were there before."""
        data, old = self.folder / "..data", None
        if data.is_symlink():
            old = self.folder / data.readlink()
        new = self.folder / f"..2026_11_26_04_00_00.{next(self._numbers):09}"
        new.mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content if isinstance(content, bytes) else content.encode())
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        temporary = self.folder / "..data_tmp"
        temporary.symlink_to(new.name)
        temporary.rename(data)
        if old is not None:
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
