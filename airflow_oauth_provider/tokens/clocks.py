"""The clocks tokens are held against."""

from __future__ import annotations

import time

from airflow_oauth_provider.protocol.moments import Moment

# Unlike the monotonic clock, this one goes on while a laptop or a virtual machine is suspended.
_ELAPSED_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed_clock() -> float:
    """Seconds of a clock that never jumps and, where the system has one, never stops."""
    return time.clock_gettime(_ELAPSED_CLOCK)


def this_moment() -> Moment:
    """Return now, on both clocks."""
    return Moment(time.time(), time.monotonic())
