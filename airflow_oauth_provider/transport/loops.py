"""What is kept for each event loop."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


class PerLoop(dict[asyncio.AbstractEventLoop, T]):
    """Something of each event loop; what closed loops have left goes with the next :meth:`keep`.

    Not by weak references to the loops: what is kept for one knows it as a rule (a task, a connector), so
    that neither would ever go. Any number of threads may use it, each with a loop of its own.
    """

    def keep(self, loop: asyncio.AbstractEventLoop, value: T) -> T:
        """Keep *value* for a loop, and return it."""
        for other in list(self):
            if other.is_closed():
                self.pop(other, None)
        self[loop] = value
        return value
