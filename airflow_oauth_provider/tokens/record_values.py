"""Values of stored records, checked when they are read.

What comes from the store is foreign: another version of this package may have written it
differently, and anybody who can write to the store can put anything there. One value that is not what it
should be makes its whole record unknown, and no other. Texts are cleaned again.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE, LONGEST_LIFETIME
from airflow_oauth_provider.protocol.texts import plain

LONGEST_TEXT = 4096
"""Characters kept of a text."""
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
"""What reading a record may raise that is not what it should be."""


class RecordError(ValueError):
    """A value of a record is not what it should be; the message does not repeat it."""


def number(value: Any, low: float, high: float) -> float:
    """Return a finite number within these bounds.

    :raises RecordError: when it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse("it is not a number")
    if not low <= value <= high:  # NaN compares as neither
        _refuse("the number is out of range")
    return float(value)


def whole(value: Any, high: int) -> int:
    """Return a whole number from 0 to *high*.

    :raises RecordError: when it is anything else.
    """
    counted = number(value, 0, high)
    if not counted.is_integer():
        _refuse("it is not a whole number")
    return int(counted)


def flag(value: Any) -> bool:
    """Return a boolean.

    :raises RecordError: when it is anything else.
    """
    if not isinstance(value, bool):
        _refuse("it is neither true nor false")
    return value


def past(value: Any, now: float) -> float:
    """Return the time of something that has happened.

    :param now: seconds since the epoch. What seems to come from later was written by a wrong clock.
    :raises RecordError: when it is no such time.
    """
    return number(value, 0, now + CLOCK_TOLERANCE)


def end(value: Any, now: float) -> float:
    """Return the time at which something ends, or has ended.

    :raises RecordError: when it is no such time.
    """
    return number(value, 0, now + LONGEST_LIFETIME + CLOCK_TOLERANCE)


def text(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Return a text on one line, cut to *longest* characters, without anything that steers a terminal.

    :raises RecordError: when it is anything else.
    """
    if not isinstance(value, str):
        _refuse("it is not a text")
    # Halves of characters, which JSON can carry and neither a page nor a terminal.
    whole_characters = value[: 2 * longest].encode(errors="replace").decode()
    return plain(whole_characters)[:longest]


def texts(value: Any, longest: int = LONGEST_TEXT) -> tuple[str, ...]:
    """Return a list of texts.

    :raises RecordError: when it is anything else.
    """
    if not isinstance(value, list):
        _refuse("it is not a list")
    return tuple(text(item, longest) for item in value)


def plausible_end(starts_at: float, ends_at: float) -> float:
    """Return an end that will be believed when it is read; a custom provider may promise for ever."""
    latest = starts_at + LONGEST_LIFETIME
    return min(ends_at, latest) if math.isfinite(ends_at) else latest


def _refuse(reason: str) -> NoReturn:
    raise RecordError(reason)
