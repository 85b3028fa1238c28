"""How long something took, on a machine that has other work too.

Tests of limits ("stops within two seconds") are about this package, not about the machine. Linux
counts the time in which anything that was ready to run had to wait for a core
(``/proc/pressure/cpu``, see the kernel's documentation of pressure stall information); that time is
taken off. On an idle machine nothing is, and the limits are strict; without the count they are
strict everywhere.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

_PRESSURE = Path("/proc/pressure/cpu")


def _stalled() -> float:
    """Return the seconds since the machine's start in which something waited for a core."""
    with suppress(OSError):
        some = _PRESSURE.read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    return 0.0


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._stalled = _stalled()

    @property
    def stalled(self) -> float:
        """Seconds, so far, in which something waited for a core."""
        return _stalled() - self._stalled

    @property
    def wall(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._began

    @property
    def seconds(self) -> float:
        """Seconds so far in which nothing waited for a core."""
        return max(0.0, self.wall - self.stalled)
