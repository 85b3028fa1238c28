"""What is counted comes back as it was written, and nothing else does."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.tokens.history.counts import MOST, Counts, HistoryError, Reader, dumped_number


@pytest.mark.parametrize(
    "counts",
    [Counts(), Counts(requests=1), Counts(*range(12)), Counts(waited_ms=MOST, refused=127, waits=128)],
)
def test_counts_come_back(counts: Counts) -> None:
    reader = Reader(counts.dump() + b"more")
    assert Counts.load(reader) == counts
    assert reader.bytes(4) == b"more"
    assert reader.ended


def test_a_number_that_is_too_large_is_cut() -> None:
    assert Counts.load(Reader(Counts(requests=MOST + 5).dump())).requests == MOST


def test_sums() -> None:
    counts = Counts(granted=1, from_store=2, from_memory=3, from_flight=4)
    assert (counts.served, counts.tokens) == (9, 10)
    assert counts.plus(counts).served == 18


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x01", b"\xff\xff" + b"\x01" * 16, b"\x00\x01\x80"])
def test_what_was_not_written_so_is_refused(data: bytes) -> None:
    with pytest.raises(HistoryError):
        Counts.load(Reader(data))


@pytest.mark.parametrize("number", [0, 127, 128, 2**28 - 1, 2**40])
def test_numbers(number: int) -> None:
    assert Reader(dumped_number(number)).number() == number


def test_a_number_without_end_is_none() -> None:
    with pytest.raises(HistoryError):
        Reader(b"\xff" * 1000).number()
