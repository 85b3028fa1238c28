"""Entries are sealed, and the newest of store and memory counts."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest

from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.sealed_entries import NO_STATUS, SealedEntries, refusals
from airflow_oauth_provider.tokens.sealing import Sealer
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from tests.support.builders import settings


def write(entries: SealedEntries, content: bytes, *, to_memory: bool = False) -> None:
    store = refusals if to_memory else None
    entries._write("purpose", "key", content, until=time.time() + 60, store=store)


def test_what_is_written_is_sealed(tmp_path: Path) -> None:
    sharing = Sharing(FileStore(tmp_path))
    write(SealedEntries(settings(), sharing), b"the content")
    (file,) = (path for path in tmp_path.iterdir() if path.suffix == ".sealed")
    assert b"the content" not in file.read_bytes()
    assert SealedEntries(settings(), sharing)._read("purpose", "key") == b"the content"
    assert SealedEntries(settings(), sharing)._read("another", "key") is None
    SealedEntries(settings(), sharing)._delete("purpose", "key")
    assert SealedEntries(settings(), sharing)._read("purpose", "key") is None


@pytest.mark.fault("P30", "F22")
def test_a_spoilt_entry_under_the_new_key_hides_none_under_the_old(tmp_path: Path) -> None:
    old, new = (Secret(base64.b64encode(letter * 32).decode()) for letter in (b"o", b"n"))
    store, until = FileStore(tmp_path), time.time() + 60
    write(SealedEntries(settings(), Sharing(store, (old,))), Status(in_a_row=1).dump())
    entries = SealedEntries(settings(), Sharing(store, (new, old)))
    store.write(entries._sealers[0].name("purpose", "key"), b"\x01" + b"spoilt" * 9, until=until)
    assert entries._read("purpose", "key") == Status(in_a_row=1).dump()
    assert entries._record("purpose", "key", Status.load) == Status(in_a_row=1)


class Reads:
    """What is opened, and what is read, of the entries of another process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = self.read = 0
        opens = Sealer.open

        def counted(sealer: Sealer, name: str, data: bytes) -> bytes | None:
            self.opened += 1
            return opens(sealer, name, data)

        monkeypatch.setattr(Sealer, "open", counted)

    def load(self, content: bytes) -> Status | None:
        self.read += 1
        return Status.load(content)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def test_what_has_not_changed_is_opened_and_read_once(tmp_path: Path, reads: Reads) -> None:
    sharing = Sharing(FileStore(tmp_path))
    entries = SealedEntries(settings(), sharing)
    for in_a_row in (1, 2):
        write(SealedEntries(settings(), sharing), Status(in_a_row=in_a_row).dump())
        for _ in range(3):
            assert entries._record("purpose", "key", reads.load) == Status(in_a_row=in_a_row)
            assert entries._read("purpose", "key") == Status(in_a_row=in_a_row).dump()
        assert (reads.opened, reads.read) == (in_a_row, in_a_row)


def test_an_error_is_read_anew_each_time_since_whoever_meets_it_changes_it(
    tmp_path: Path, reads: Reads
) -> None:
    entries = SealedEntries(settings(), Sharing(FileStore(tmp_path)))
    write(entries, Status(refused_at=time.time(), error=TransportError("cut")).dump())
    statuses = [entries._record("purpose", "key", reads.load) for _ in range(2)]
    assert len({id(status and status.error) for status in statuses}) == 2
    assert (reads.opened, reads.read) == (1, 2)


def test_what_does_not_open_is_tried_once(tmp_path: Path, reads: Reads) -> None:
    store = FileStore(tmp_path)
    entries = SealedEntries(settings(), Sharing(store))
    store.write(entries._sealers[0].name("purpose", "key"), b"\x01" + b"foreign" * 9, until=time.time() + 60)
    assert [entries._record("purpose", "key", reads.load) for _ in range(2)] == [None, None]
    assert (reads.opened, reads.read) == (1, 0)


def test_the_newest_counts(tmp_path: Path) -> None:
    entries = SealedEntries(settings(), Sharing(FileStore(tmp_path)))
    assert entries._newest("purpose", "key") == NO_STATUS
    now = time.time()
    for older, newer in (
        (Status(refused_at=now - 10), Status(authorized_at=now - 5)),
        (Status(authorized_at=now - 10), Status(refused_at=now - 5)),
    ):
        for in_store, in_memory in ((older, newer), (newer, older)):
            write(entries, in_store.dump())
            write(entries, in_memory.dump(), to_memory=True)
            assert entries._newest("purpose", "key") == newer


def test_a_lease_is_of_one_purpose(tmp_path: Path) -> None:
    entries = SealedEntries(settings(), Sharing(FileStore(tmp_path)))
    lease = entries._lease("purpose", "key")
    assert lease is not None
    assert entries._lease("purpose", "key") is None
    assert entries._lease("purpose", "key", 1) is not None
    assert entries._lease("another", "key") is not None
    lease.release()
    assert entries._lease("purpose", "key") is not None
