"""A time between two looks at the clock, however long a busy machine makes it."""

from __future__ import annotations

import time
from collections.abc import Callable

_ROUNDING = 0.01
"""Seconds by which what is told as text or as another type may be off."""


class Span:
    """From when it is made until whoever asks: ``told_at in span``, ``ends_at - 30 in span``.

    :param clock: which it is about.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._began = clock()

    def __contains__(self, at: float) -> bool:
        return self._began - _ROUNDING <= at <= self._clock() + _ROUNDING
