"""The record of a connection's last use: for displays only.

What is read is checked value by value: one that is not what it should be makes the whole record unknown.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.tokens.record_values import UNREADABLE, flag, past, text, whole
from airflow_oauth_provider.tokens.records import Status

LONGEST_PROBE = 1_000
"""Characters kept of what a probe came to."""
_MOST = 10**12
"""Requests and tokens that a display can count."""


@dataclass(frozen=True)
class Probe:
    """What a call of ``probe_path`` came to.

    :param at: when (seconds since the epoch).
    :param text: for people, without advice.
    """

    at: float
    ok: bool
    text: str

    @classmethod
    def now(cls, said: str, *, ok: bool) -> Probe:
        """Return what a call came to just now."""
        return cls(time.time(), ok, text(said, LONGEST_PROBE))

    @classmethod
    def of(cls, content: Any, now: float) -> Probe | None:
        """Take it from what a record holds, and check each value.

        :raises Exception: of any kind, for one that is not what it should be.
        """
        if content is None:
            return None
        return cls(past(content["at"], now), flag(content["ok"]), text(content["text"], LONGEST_PROBE))


@dataclass(frozen=True)
class LastUse:
    """The last use of a connection.

    :param fingerprint: of the settings it had then.
    :param at: when (seconds since the epoch).
    :param status: its outcome.
    :param requests: token requests made for this connection since *since*, *refusals* those that
        brought no token.
    :param hits: tokens that were served without one.
    :param probe: the last one with these settings.
    """

    fingerprint: str
    at: float
    status: Status
    requests: int = 0
    refusals: int = 0
    hits: int = 0
    since: float = 0.0
    probe: Probe | None = None

    def dump(self) -> bytes:
        """Write it."""
        probe = vars(self.probe) if self.probe else None
        return json.dumps({**vars(self), "status": self.status.content(), "probe": probe}).encode()

    @classmethod
    def load(cls, data: bytes) -> LastUse | None:
        """Read it; ``None`` for what is not what it should be, or was written by another version."""
        try:
            return cls._of(json.loads(data), time.time())
        except UNREADABLE:
            return None

    @classmethod
    def _of(cls, content: Any, now: float) -> LastUse:
        return cls(
            fingerprint=text(content["fingerprint"], 64),
            at=past(content["at"], now),
            status=Status.of(content["status"], now),
            requests=whole(content["requests"], _MOST),
            refusals=whole(content["refusals"], _MOST),
            hits=whole(content["hits"], _MOST),
            since=past(content["since"], now),
            probe=Probe.of(content.get("probe"), now),
        )
