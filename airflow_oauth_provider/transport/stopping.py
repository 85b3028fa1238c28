"""Leaving every wait when the task is being killed.

Airflow calls ``on_kill`` within a signal handler. Nothing there may take a lock (even
``threading.Event.set`` takes one, which the interrupted code may hold), so a stop is a plain
attribute, and every wait reads it twice a second.
"""

from __future__ import annotations

import threading
import time

from airflow_oauth_provider.exceptions import TransportError

GLANCE = 0.4
"""Seconds between two readings."""


class TaskStoppedError(TransportError):
    """The caller's own task is being killed; concerns nobody else."""


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

    def wait_for(self, event: threading.Event, until: float) -> bool:
        """Wait for *event*.

        :param until: monotonic seconds at which to give up.
        :return: whether it came.
        :raises TaskStoppedError: soon after being stopped.
        """
        while True:
            self.check()
            left = until - time.monotonic()
            if event.wait(max(0.0, min(left, GLANCE))):
                return True
            if left <= GLANCE:
                return False


NEVER = Stop()
"""For callers whom nobody stops."""
