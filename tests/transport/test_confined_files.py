"""Files that somebody else keeps: what is read of them, and what never is."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.transport.confined_files import ConfinedFileError, read_confined
from tests.support.confidential import assert_nothing_confidential
from tests.support.mounted import Mounted

LIMIT = 2048


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "allowed"
    made.mkdir()
    return made


def read(path: Path, folder: Path) -> bytes:
    return read_confined(str(path), str(folder), limit=LIMIT)


def refusal(path: Path | str, folder: Path) -> str:
    with pytest.raises(ConfinedFileError) as caught:
        read_confined(str(path), str(folder), limit=LIMIT)
    assert str(path) not in str(caught.value)
    return str(caught.value)


def test_a_file_is_read_as_it_is(folder: Path) -> None:
    (folder / "secret").write_bytes(b" \xff\0\n")
    assert read(folder / "secret", folder) == b" \xff\0\n"


def test_a_file_of_the_greatest_size(folder: Path) -> None:
    (folder / "secret").write_bytes(b"x" * LIMIT)
    assert len(read(folder / "secret", folder)) == LIMIT
    (folder / "secret").write_bytes(b"x" * (LIMIT + 1))
    assert refusal(folder / "secret", folder) == "is larger than 2 KiB"


def test_the_symlinks_of_kubernetes(folder: Path) -> None:
    mounted = Mounted(folder, token="first")
    assert read(folder / "token", folder) == b"first"
    mounted.exchange(token="second")
    assert read(folder / "token", folder) == b"second"


def test_a_folder_that_is_itself_behind_a_symlink(folder: Path, tmp_path: Path) -> None:
    (folder / "secret").write_bytes(b"x")
    (tmp_path / "link").symlink_to(folder)
    assert read(tmp_path / "link" / "secret", tmp_path / "link") == b"x"
    assert read(tmp_path / "link" / "secret", folder) == b"x"


def _file(folder: Path) -> Path:
    outside = folder.parent / "outside"
    outside.write_bytes(b"of somebody else")
    return outside


def _absent(folder: Path) -> Path:
    return folder / "absent"


def _below_a_file(folder: Path) -> Path:
    (folder / "file").write_bytes(b"x")
    return folder / "file" / "below"


def _leaving(folder: Path) -> Path:
    link = folder / "link"
    link.symlink_to(_file(folder))
    return link


def _leaving_by_a_folder(folder: Path) -> Path:
    _file(folder)
    (folder / "up").symlink_to("..")
    return folder / "up" / "outside"


def _up(folder: Path) -> Path:
    return folder / ".." / _file(folder).name


def _namesake(folder: Path) -> Path:
    other = folder.parent / f"{folder.name}-too"
    other.mkdir()
    (other / "secret").write_bytes(b"x")
    return other / "secret"


def _circle(folder: Path) -> Path:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    return folder / "a"


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


def _socket(folder: Path) -> Path:
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(folder / "socket"))
    bound.close()
    return folder / "socket"


def _device(folder: Path) -> Path:
    (folder / "device").symlink_to("/dev/zero")
    return folder / "device"


def _folder(folder: Path) -> Path:
    (folder / "inner").mkdir()
    return folder / "inner"


def _long(folder: Path) -> Path:
    return folder / ("x" * 5000)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (_absent, "does not exist"),
        (_below_a_file, "does not exist"),
        (_file, "is a symlink that leads out of its folder"),
        (_leaving, "is a symlink that leads out of its folder"),
        (_leaving_by_a_folder, "is a symlink that leads out of its folder"),
        (_up, "is a symlink that leads out of its folder"),
        (_namesake, "is a symlink that leads out of its folder"),
        (_circle, "is a symlink that leads in a circle"),
        (_fifo, "is no regular file"),
        (_socket, "is no regular file"),
        (_device, "is no regular file"),
        (_folder, "is a folder"),
        (_long, "has a name that is too long"),
    ],
)
def test_what_is_refused(made: Callable[[Path], Path], reason: str, folder: Path) -> None:
    """At once: an open fifo would wait for its writer for ever."""
    assert refusal(made(folder), folder) == reason


def test_a_name_that_no_file_can_have(folder: Path) -> None:
    assert refusal(f"{folder}/a\0b", folder) == "does not exist"


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, who may read everything."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert refusal(folder / "secret", folder) == "may not be read by the user that Airflow runs as"


def test_a_disk_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "secret").write_bytes(b"x")

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    assert refusal(folder / "secret", folder) == "cannot be read (EIO)"


def test_a_file_that_grows_while_it_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "secret").write_bytes(b"secret-bytes")
    read_really = os.read

    def growing(descriptor: int, size: int) -> bytes:
        with (folder / "secret").open("ab") as file:
            file.write(b"secret-bytes" * 100)
        return read_really(descriptor, size)

    monkeypatch.setattr(os, "read", growing)
    with pytest.raises(ConfinedFileError, match="is larger than 2 KiB") as caught:
        read(folder / "secret", folder)
    assert_nothing_confidential(caught.value, ["secret-bytes"])


def test_a_system_that_does_not_tell_where_a_file_lies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "secret").write_bytes(b"x")

    def fail(*_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "readlink", fail)
    monkeypatch.setattr(fcntl, "F_GETPATH", 50, raising=False)
    own = os.fsencode(folder / "secret") + bytes(8)
    monkeypatch.setattr(fcntl, "fcntl", lambda *_: own)
    assert read(folder / "secret", folder) == b"x", "as on macOS"
    monkeypatch.delattr(fcntl, "F_GETPATH")
    assert refusal(folder / "secret", folder) == "is a symlink that leads out of its folder"


@pytest.fixture
def _exchanging(folder: Path) -> Iterator[None]:
    """Somebody exchanges a good file and a symlink that leaves the folder, as fast as possible."""
    outside, stop = _file(folder), threading.Event()
    (folder / "good").write_bytes(b"good")

    def exchange() -> None:
        while not stop.is_set():
            for target in (outside, "good"):
                (folder / "new").symlink_to(target)
                (folder / "new").rename(folder / "secret")

    (folder / "secret").symlink_to("good")
    thread = threading.Thread(target=exchange)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("_exchanging")
def test_nobody_exchanges_a_file_between_check_and_reading(folder: Path) -> None:
    for _ in range(2000):
        try:
            assert read(folder / "secret", folder) == b"good"
        except ConfinedFileError as error:
            assert str(error) == "is a symlink that leads out of its folder"  # noqa: PT017


def test_a_folder_that_is_exchanged_while_its_file_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel follows a symlink, and finds the old folder removed; by chance 1 in 20,000 readings."""
    mounted, really, left = Mounted(folder, token="first"), os.open, 3

    def removed_just_then(*arguments: Any) -> int:
        nonlocal left
        left -= 1
        if left >= 0:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return really(*arguments)

    monkeypatch.setattr(os, "open", removed_just_then)
    assert read(mounted.path("token"), folder) == b"first"
    left = 3
    (folder / "plain").write_bytes(b"x")
    (folder / "plain").unlink()
    assert refusal(folder / "plain", folder) == "does not exist"
    assert left == 1, "what is not there at all is not there"


def test_a_symlink_to_nothing(folder: Path) -> None:
    (folder / "link").symlink_to("nothing")
    assert refusal(folder / "link", folder) == "does not exist"


def test_no_descriptor_stays_open(folder: Path) -> None:
    (folder / "secret").write_bytes(b"x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (folder / "secret", _leaving(folder), _fifo(folder)):
        for _ in range(10):
            try:
                read(path, folder)
            except ConfinedFileError:
                continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before
