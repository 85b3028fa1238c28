from __future__ import annotations

import threading
import time

import pytest

from airflow_oauth_provider.transport.deadlines import bounded, earlier, left, limits, within
from airflow_oauth_provider.transport.stopping import NEVER, Stop


def test_bounds_nest_and_are_the_threads_own() -> None:
    stop = Stop()
    assert limits() == (None, NEVER)
    with bounded(50.0, stop):
        with bounded(None):
            assert limits() == (None, NEVER)
        assert limits() == (50.0, stop)
        elsewhere: list[object] = []
        thread = threading.Thread(target=lambda: elsewhere.append(limits()))
        thread.start()
        thread.join(30)
        assert elsewhere == [(None, NEVER)]
    assert limits() == (None, NEVER)


def test_an_error_ends_a_bound_too() -> None:
    with pytest.raises(KeyError), bounded(50.0):
        raise KeyError
    assert limits()[0] is None


def test_a_narrower_bound_never_widens() -> None:
    far, near = time.monotonic() + 1000, time.monotonic() - 1000
    for at, soonest in ((far, False), (near, True), (None, False)):
        with bounded(at), within(10):
            narrowed = limits()[0]
            assert narrowed is not None
            assert (narrowed == at) is soonest
        with bounded(at), within(None):
            assert limits()[0] == at


@pytest.mark.parametrize(
    ("one", "other", "first"),
    [(None, None, None), (1.0, None, 1.0), (None, 2.0, 2.0), (3.0, 2.0, 2.0), (0.0, None, 0.0)],
)
def test_the_earlier_of_two(one: float | None, other: float | None, first: float | None) -> None:
    assert earlier(one, other) == first


def test_what_is_left() -> None:
    assert left(None) is None
    assert 59 < (left(time.monotonic() + 60) or 0) <= 60
    with pytest.raises(TimeoutError):
        left(time.monotonic())
