from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import pytest

from airflow_oauth_provider.transport.stopping import GLANCE, NEVER, Latch, Stop, TaskStoppedError
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until


def test_a_stop_ends_every_later_wait_at_once() -> None:
    stop = Stop()
    stop.check()
    stop.stop()
    stop.stop()
    watch = Stopwatch()
    for wait in (
        stop.check,
        lambda: stop.sleep(60),
        lambda: stop.wait_for(Latch(), time.monotonic() + 60),
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


@pytest.mark.parametrize(("comes", "seconds"), [(True, 60.0), (False, 0.05), (False, -1.0)])
def test_waiting_for_a_latch(comes: bool, seconds: float) -> None:
    latch = Latch()
    if comes:
        latch.set()
    assert NEVER.wait_for(latch, time.monotonic() + seconds) is comes


def test_a_latch_lets_all_go_who_wait() -> None:
    latch, threads = Latch(), 8
    with ThreadPoolExecutor(threads) as pool:
        waits = [pool.submit(latch.wait, 60) for _ in range(threads)]
        until(lambda: len(latch._waiting) == threads, "all of them")
        latch.set()
        latch.set()
        assert all(wait.result(10) for wait in waits)
    assert latch._waiting == []


class TaskTimeoutError(BaseException):
    """Stands for Airflow's, which a signal handler raises."""


class Interruption:
    """Raises it at a line of what is traced."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, _frame: FrameType, event: str, _argument: Any) -> Interruption:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise TaskTimeoutError
        return self


@pytest.mark.fault("P16")
def test_a_timeout_at_any_line_of_a_wait_comes_out_of_it() -> None:
    line, survived = 0, False
    while not survived:
        line += 1
        interruption, raised = Interruption(line), None
        tracing = sys.gettrace()
        sys.settrace(interruption)
        try:
            NEVER.wait_for(Latch(), time.monotonic() + 0.01)
        except BaseException as error:
            raised = error
        finally:
            sys.settrace(tracing)
        survived = interruption.left > 0
        assert survived or type(raised) is TaskTimeoutError, f"line {line} makes {raised!r} of it"
    assert line > 10
