"""What this process has written itself is known as long as it lies there unchanged, and no longer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE, AccessToken
from airflow_oauth_provider.protocol.private_token import accompanied
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens import own_records
from airflow_oauth_provider.tokens.display_index import DisplayIndex
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.sealing import Sealer, sealer
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from tests.support.builders import settings

OWN, OTHER = sealer(Secret("own"), None), sealer(Secret("other"), None)


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    own_records.clear()
    yield
    own_records.clear()


@pytest.fixture
def sharing(tmp_path: Path) -> Sharing:
    return Sharing(FileStore(tmp_path / "store"))


def token(value: str = "tok", *, after: float = 0.0) -> AccessToken:
    now = time.time() + after
    return AccessToken(value, "Bearer", now + 3600, now)


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each entry that is opened."""
    names: list[str] = []
    opens = Sealer.open

    def noted(self: Sealer, name: str, data: bytes) -> bytes | None:
        names.append(name)
        return opens(self, name, data)

    monkeypatch.setattr(Sealer, "open", noted)
    return names


def test_a_record_is_known_by_who_sealed_it_its_name_and_its_bytes() -> None:
    record = Status()
    own_records.keep(OWN, "name", b"sealed", record)
    assert own_records.known(OWN, "name", b"sealed") is record
    assert own_records.known(OWN, "name", b"sealed again") is None
    assert own_records.known(OWN, "another name", b"sealed") is None
    assert own_records.known(OTHER, "name", b"sealed") is None
    own_records.drop(OWN, "name")
    assert own_records.known(OWN, "name", b"sealed") is None


def test_a_clock_that_was_set_back_has_it_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    own_records.keep(OWN, "name", b"sealed", Status())
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert own_records.known(OWN, "name", b"sealed") is None


def test_cleared_it_knows_nothing() -> None:
    own_records.keep(OWN, "name", b"sealed", Status())
    own_records.clear()
    assert own_records.known(OWN, "name", b"sealed") is None
    own_records.drop(OWN, "name")


def test_another_thread_may_clear_it_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cleared(OrderedDict[Any, Any]):
        def popitem(self, last: bool = True) -> Any:
            self.clear()
            return super().popitem(last)

    monkeypatch.setattr(own_records, "_own", Cleared())
    for number in range(own_records.MOST + 1):
        own_records.keep(OWN, str(number), b"sealed", number + 1)
    assert own_records.known(OWN, "0", b"sealed") is None


def test_there_are_so_many_and_the_oldest_go() -> None:
    for number in range(own_records.MOST + 10):
        own_records.keep(OWN, str(number), b"sealed", number + 1)
    kept = [own_records.known(OWN, str(number), b"sealed") for number in range(own_records.MOST + 10)]
    assert kept[:10] == [None] * 10
    assert None not in kept[10:]


def test_what_a_process_has_shared_it_does_not_open(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = token()
    Entries(settings(), sharing).granted(granted)
    names = opened(monkeypatch)
    entries = Entries(settings(), sharing)
    assert entries.token() == granted
    assert entries.status().authorized_at == granted.issued_at
    assert names == []


def test_what_another_process_has_shared_since_counts(sharing: Sharing) -> None:
    Entries(settings(), sharing).granted(token(after=-10))
    (known,) = [dict(own_records._own)]
    newer = token("newer")
    Entries(settings(), sharing).granted(newer)
    own_records.clear()
    own_records._own.update(known)  # as the process knows it that wrote first
    assert Entries(settings(), sharing).token() == newer
    assert Entries(settings(), sharing).status().authorized_at == newer.issued_at


@pytest.mark.parametrize("end", ["forget", "drop_token"])
def test_a_token_that_is_forgotten_is_kept_nowhere(sharing: Sharing, end: str) -> None:
    granted = token()
    entries = Entries(settings(), sharing)
    entries.granted(granted)
    assert granted in [record for _, record, _ in own_records._own.values()]
    entries.forget() if end == "forget" else entries.drop_token(granted)
    assert granted not in [record for _, record, _ in own_records._own.values()]
    assert entries.token() is None


def test_a_token_with_companions_is_read_as_others_read_it(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = accompanied(token(), details=None, instance_url="https://api.example")
    Entries(settings(), sharing).granted(granted)
    names = opened(monkeypatch)
    shared = Entries(settings(), sharing).token()
    assert shared is not None
    assert shared is not granted
    assert shared.value == granted.value
    assert names


def test_the_last_use_that_a_process_has_recorded_it_does_not_open(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = DisplayIndex(sharing, "orders")
    index.record(settings(), token=token(), requests=1)
    names = opened(monkeypatch)
    entry = index.read(settings())
    assert entry is not None
    assert entry.last_use is not None
    assert (entry.last_use.requests, entry.edited, names) == (1, False, [])
    own_records.clear()
    assert index.read(settings()) == entry


def test_the_last_use_with_another_credential_tells_nothing(sharing: Sharing) -> None:
    index = DisplayIndex(sharing, "orders")
    index.record(settings(), token=token(), requests=1)
    entry = index.read(settings(client_secret=Secret("rotated")))
    assert entry is not None
    assert (entry.last_use, entry.edited) == (None, True)


def test_a_token_of_a_clock_that_is_ahead_is_to_this_process_what_it_is_to_others(sharing: Sharing) -> None:
    ahead = token(after=CLOCK_TOLERANCE + 60)
    Entries(settings(), sharing).granted(ahead)
    here = Entries(settings(), sharing).token()
    own_records.clear()
    assert here == Entries(settings(), sharing).token()


def test_an_error_is_read_anew_by_each_who_raises_it(sharing: Sharing) -> None:
    error = TransportError("m")
    entries = Entries(settings(), sharing)
    entries.refused(error, budget=1)
    raised = [entries.status().error, entries.status().error, Entries(settings(), sharing).status().error]
    assert len({id(known) for known in (error, *raised)}) == 4
