"""Lines that many append and one takes: what is peculiar to files."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_oauth_provider.tokens.stores.appended_files import LARGEST, append, drop, has_appended, take
from airflow_oauth_provider.tokens.stores.base import MAX_APPENDED
from airflow_oauth_provider.tokens.stores.file_store import FileStore

LATER = 4e9


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_a_line_has_256_bytes_at_most(folder: int, tmp_path: Path) -> None:
    append(folder, "a", [b"x" * MAX_APPENDED], LATER)
    assert (tmp_path / "a.appended").stat().st_size <= 256
    assert (tmp_path / "a.appended").stat().st_mode & 0o777 == 0o600


def test_what_a_full_disk_has_cut_spoils_no_other_line(folder: int, tmp_path: Path) -> None:
    append(folder, "a", [b"one", b"two"], LATER)
    file = tmp_path / "a.appended"
    file.write_bytes(file.read_bytes()[:-2])
    append(folder, "a", [b"three"], LATER)
    file.write_bytes(file.read_bytes() + b"\n\xff\xff\n" + b"A" * 9000 + b"\n\n")
    append(folder, "a", [b"four"], LATER)
    assert take(folder, "a") == (b"one", b"three", b"four")


def test_a_file_that_nobody_takes_does_not_fill_the_disk(folder: int, tmp_path: Path) -> None:
    lot = [f"{number:>0{MAX_APPENDED}}".encode() for number in range(500)]
    for _ in range(30):
        append(folder, "a", lot, LATER)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * (LARGEST + 500 * 256)
    taken: list[bytes] = []
    while (batch := take(folder, "a")) is not None:
        taken += batch
        drop(folder, "a")
    assert taken[-500:] == lot, "the newest stay"
    assert not has_appended(folder, "a")


def test_who_has_opened_the_file_before_it_was_taken_is_waited_for(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(folder, "a", [b"one"], LATER)
    writer = os.open(tmp_path / "a.appended", os.O_WRONLY | os.O_APPEND)
    fcntl.flock(writer, fcntl.LOCK_SH)

    def write(_: float) -> None:
        os.write(writer, b"\ndHdv")
        fcntl.flock(writer, fcntl.LOCK_UN)

    monkeypatch.setattr("airflow_oauth_provider.tokens.stores.appended_files.time.sleep", write)
    assert take(folder, "a") == (b"one", b"two")
    os.close(writer)


def test_one_that_was_stopped_while_it_writes_holds_nobody_up(folder: int, tmp_path: Path) -> None:
    append(folder, "a", [b"one"], LATER)
    writer = os.open(tmp_path / "a.appended", os.O_WRONLY | os.O_APPEND)
    fcntl.flock(writer, fcntl.LOCK_SH)
    assert take(folder, "a") is None
    assert append(folder, "a", [b"two"], LATER), "into a new file"
    os.close(writer)
    assert take(folder, "a") == (b"one",)


def test_one_who_opens_the_file_while_it_is_being_read_writes_a_new_one(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(folder, "a", [b"one"], LATER)
    reader = os.open(tmp_path / "a.appended", os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_EX)
    fstat = os.fstat

    def renamed(file: int) -> os.stat_result:
        if (tmp_path / "a.taken").exists() is False:
            (tmp_path / "a.appended").rename(tmp_path / "a.taken")
        return fstat(file)

    monkeypatch.setattr("airflow_oauth_provider.tokens.stores.appended_files.os.fstat", renamed)
    assert append(folder, "a", [b"two"], LATER)
    os.close(reader)
    assert take(folder, "a") == (b"one",)
    drop(folder, "a")
    assert take(folder, "a") == (b"two",)


def test_what_others_could_write_is_not_believed(folder: int, tmp_path: Path) -> None:
    file = tmp_path / "a.appended"
    file.write_bytes(b"\nZm9yZ2Vk")
    file.chmod(0o666)
    assert append(folder, "a", [b"one"], LATER)
    assert take(folder, "a") == (b"one",)
    (tmp_path / "b.taken").write_bytes(b"\nZm9yZ2Vk")
    (tmp_path / "b.taken").chmod(0o622)
    assert take(folder, "b") == ()
    assert take(folder, "b") is None


def test_a_link_is_not_followed(folder: int, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "a.appended").symlink_to(tmp_path / "elsewhere")
    assert append(folder, "a", [b"one"], LATER)
    assert take(folder, "a") == (b"one",)
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_a_sweep_leaves_what_is_just_being_written(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, utime = FileStore(tmp_path / "store"), os.utime

    def others_sweep_first(file: int, times: tuple[float, float]) -> None:
        monkeypatch.setattr("airflow_oauth_provider.tokens.stores.appended_files.os.utime", utime)
        FileStore(store.folder).write("other", b"x", until=LATER)
        utime(file, times)

    monkeypatch.setattr("airflow_oauth_provider.tokens.stores.appended_files.os.utime", others_sweep_first)
    assert store.append("a", [b"one"], until=LATER)
    assert store.take_appended("a") == (b"one",)


def test_it_may_be_swept_when_nobody_needs_it(folder: int, tmp_path: Path) -> None:
    until = time.time() + 5
    append(folder, "a", [b"one"], until)
    assert (tmp_path / "a.appended").stat().st_mtime == pytest.approx(until, abs=1)


@pytest.mark.fault("F86")
@pytest.mark.parametrize("kind", ["appended", "full", "taken"])
@pytest.mark.parametrize("what", ["a symbolic link", "a folder", "a pipe"])
def test_a_leftover_costs_the_history_and_no_token(tmp_path: Path, kind: str, what: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("x")
    store = FileStore(tmp_path / "folder")
    store.write("a", b"token", until=LATER)
    leftover = store.folder / f"a.{kind}"
    if what == "a symbolic link":
        leftover.symlink_to(victim)
    elif what == "a folder":
        leftover.mkdir()
    else:
        os.mkfifo(leftover, 0o600)
    for _ in range(2):
        store.take_appended("a")
        store.append("a", [b"one"], until=LATER)
        store.has_appended("a")
        store.drop_taken("a")
    assert store.read("a") == b"token"
    assert victim.read_text() == "x"
    assert store.append("a", [b"two"], until=LATER)
    taken = [*(store.take_appended("a") or ())]
    store.drop_taken("a")
    assert b"two" in [*taken, *(store.take_appended("a") or ())], "it is gone"
