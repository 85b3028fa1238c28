"""Instants and budgets; what the clocks say enters as an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Moment:
    """One instant on both clocks.

    :param wall: seconds since the epoch.
    :param monotonic: seconds of a clock that never jumps.
    """

    wall: float
    monotonic: float


@dataclass(frozen=True)
class Budget:
    """The time that one caller has; made once, by the caller.

    :param started: when the caller began to wait.
    :param until: monotonic seconds at which the caller gives up.
    """

    started: Moment
    until: float

    @classmethod
    def of(cls, started: Moment, seconds: float) -> Self:
        """Return a budget of so many seconds from *started*."""
        return cls(started, started.monotonic + seconds)

    @property
    def seconds(self) -> float:
        """Return the length of the whole budget."""
        return self.until - self.started.monotonic

    def left(self, now: float) -> float:
        """Return the seconds left at *now* (monotonic seconds); negative when it is over."""
        return self.until - now
