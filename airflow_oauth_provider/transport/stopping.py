"""Leaving every wait when the task is being killed.

Airflow calls ``on_kill`` within a signal handler. Nothing there may take a lock (even
``threading.Event.set`` takes one, which the interrupted code may hold), so a stop is a plain
attribute, and every wait reads it twice a second.

Airflow's timeout of a task is an exception that a signal handler raises, between any two instructions of the
main thread. ``threading.Event.wait`` may come out of it with ``RuntimeError: release unlocked lock`` instead,
since its lock has been let go at one of them. A :class:`Latch` has none.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from airflow_oauth_provider.exceptions import TransportError

GLANCE = 0.4
"""Seconds between two readings."""


class TaskStoppedError(TransportError):
    """The caller's own task is being killed; concerns nobody else."""


class Latch:
    """What threads wait for: set once, for all of them."""

    __slots__ = ("_waiting", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._waiting: list[threading.Lock] = []

    def set(self) -> None:
        """Let all go who wait, and who will."""
        self.is_set = True  # before it is looked who waits: whoever comes then looks for this again
        for waiting in tuple(self._waiting):
            with suppress(RuntimeError):  # it was set before
                waiting.release()

    def wait(self, seconds: float) -> bool:
        """Wait, not longer than this; return whether it is set."""
        waiting = threading.Lock()
        waiting.acquire()
        self._waiting.append(waiting)
        try:
            if not self.is_set:
                waiting.acquire(timeout=seconds)
        finally:
            self._waiting.remove(waiting)
        return self.is_set


class Stop:
    """Whether to stop; set once, from anywhere."""

    __slots__ = ("stopped",)

    def __init__(self) -> None:
        self.stopped = False

    def stop(self) -> None:
        """Stop; safe in a signal handler."""
        self.stopped = True

    def check(self) -> None:
        """Do nothing, unless stopped.

        :raises TaskStoppedError: when stopped.
        """
        if self.stopped:
            raise TaskStoppedError("stopped: the task is being killed")

    def sleep(self, seconds: float) -> None:
        """Sleep.

        :raises TaskStoppedError: soon after being stopped.
        """
        ends_at = time.monotonic() + seconds
        while True:
            self.check()
            left = ends_at - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, GLANCE))

    def wait_for(self, latch: Latch, until: float) -> bool:
        """Wait until *latch* is set.

        :param until: monotonic seconds at which to give up.
        :return: whether it is.
        :raises TaskStoppedError: soon after being stopped.
        """
        while True:
            self.check()
            left = until - time.monotonic()
            if latch.wait(max(0.0, min(left, GLANCE))):
                return True
            if left <= GLANCE:
                return False


NEVER = Stop()
"""For callers whom nobody stops."""
