from __future__ import annotations

import threading
import time

import pytest

from airflow_oauth_provider.transport.stopping import GLANCE, NEVER, Stop, TaskStoppedError
from tests.support.stopwatch import Stopwatch


def test_a_stop_ends_every_later_wait_at_once() -> None:
    stop = Stop()
    stop.check()
    stop.stop()
    stop.stop()
    watch = Stopwatch()
    for wait in (
        stop.check,
        lambda: stop.sleep(60),
        lambda: stop.wait_for(threading.Event(), time.monotonic() + 60),
    ):
        with pytest.raises(TaskStoppedError):
            wait()
    assert watch.seconds < GLANCE


def test_a_stop_ends_a_wait_soon() -> None:
    stop = Stop()
    threading.Timer(0.1, stop.stop).start()
    watch = Stopwatch()
    with pytest.raises(TaskStoppedError):
        stop.sleep(60)
    assert watch.seconds < 0.1 + 2 * GLANCE


def test_without_a_stop_it_sleeps_as_long_as_it_should() -> None:
    watch = Stopwatch()
    NEVER.sleep(GLANCE + 0.1)
    NEVER.sleep(0)
    assert watch.wall >= GLANCE + 0.1


@pytest.mark.parametrize(("comes", "until"), [(True, 60.0), (False, 0.05), (False, -1.0)])
def test_waiting_for_an_event(comes: bool, until: float) -> None:
    event = threading.Event()
    if comes:
        event.set()
    assert NEVER.wait_for(event, time.monotonic() + until) is comes
