"""What one search for a token cost: for metrics, the log and displays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Source(Enum):
    """Where a token came from."""

    MEMORY = "memory"
    STORE = "store"
    FLIGHT = "flight"
    """A search that another thread had begun."""
    REQUEST = "request"


@dataclass
class SearchCost:
    """Filled in while a token is looked for.

    :param requests: token requests made on behalf of this caller; those of another's search are the
        other's to count.
    :param kept: the token is the one held before: renewing it early has not worked, or goes on.
    :param asked: the server was asked, or it was tried; else a refusal or a cool-down in force decided.
    :param renewed: the token replaces one that was still good, or that an API had refused.
    """

    source: Source = Source.MEMORY
    requests: int = 0
    kept: bool = False
    asked: bool = False
    renewed: bool = False

    @property
    def retries(self) -> int:
        """Requests after the first one."""
        return max(0, self.requests - 1)

    def searched(self, requests: int, *, own: bool, asked: bool) -> None:
        """Note a search that has ended.

        :param own: this caller began it.
        :param asked: it came to ask the server.
        """
        self.asked = self.asked or (own and asked)
        if not own:
            self.source = Source.FLIGHT
            return
        self.requests += requests
        self.source = Source.REQUEST if requests else Source.STORE
