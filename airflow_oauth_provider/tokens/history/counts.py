"""What is counted, and its binary form: small, and checked when it is read."""

from __future__ import annotations

from operator import add
from typing import NamedTuple

MOST = 2**28 - 1
"""What one number of a delta can say."""
_LONGEST_NUMBER = 10


class HistoryError(ValueError):
    """It is not what was written; the message does not repeat it."""


class Counts(NamedTuple):
    """Outcomes of searches for a token.

    :param requests: token requests, *retries* those of them that repeat one.
    :param granted: searches that a request brought a new token, *renewals* those of them that replaced
        a token which was still good, or which an API had refused.
    :param refused: searches that the server refused for good; *failed* those that ended without a
        token for another reason, and *cool_downs* those for which nobody was asked, since a refusal or a
        cool-down was in force.
    :param from_memory: tokens served without a request, from the process's memory; *from_store* from the
        shared store; *from_flight* by the search of another thread.
    :param waits: searches that took a second or more; *waited_ms* milliseconds of all.
    """

    requests: int = 0
    retries: int = 0
    granted: int = 0
    renewals: int = 0
    refused: int = 0
    failed: int = 0
    cool_downs: int = 0
    from_memory: int = 0
    from_store: int = 0
    from_flight: int = 0
    waits: int = 0
    waited_ms: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return the sum."""
        return Counts(*map(add, self, other))

    @property
    def served(self) -> int:
        """Tokens served without a request: what sharing has saved."""
        return self.from_memory + self.from_store + self.from_flight

    @property
    def tokens(self) -> int:
        """Tokens that callers were given."""
        return self.granted + self.served

    def dump(self) -> bytes:
        """Write the numbers that are not 0, and before them which these are."""
        mask = sum(1 << index for index, value in enumerate(self) if value)
        values = b"".join(dumped_number(min(value, MOST)) for value in self if value)
        return mask.to_bytes(2, "big") + values

    @classmethod
    def load(cls, reader: Reader) -> Counts:
        """Read them.

        :raises HistoryError: when they are not what was written.
        """
        mask = int.from_bytes(reader.bytes(2), "big")
        if mask >> len(cls._fields):
            raise HistoryError("it counts what nobody counts")
        return cls(*(reader.number() if mask >> index & 1 else 0 for index in range(len(cls._fields))))


NOTHING = Counts()


def dumped_number(value: int) -> bytes:
    """Write a number from 0 on, seven bits a byte, the lowest first."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


class Reader:
    """Reads what was written, from the first byte to the last."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""
        return self._at >= len(self._data)

    def bytes(self, count: int) -> bytes:
        """Return that many bytes.

        :raises HistoryError: when there are not as many.
        """
        begin, self._at = self._at, self._at + count
        if self._at > len(self._data):
            raise HistoryError("it ends too early")
        return self._data[begin : self._at]

    def number(self) -> int:
        """Return a number.

        :raises HistoryError: when there is none.
        """
        data, at, value, shift = self._data, self._at, 0, 0
        for byte in data[at : at + _LONGEST_NUMBER]:
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._at = at
                return value
            shift += 7
        raise HistoryError("it holds no number")
