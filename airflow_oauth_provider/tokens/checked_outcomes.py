"""What a check has last found of a connection, so that the next one can say what has changed.

Rules:

- Each check has a memory of its own: another one, or a command, does not make it miss a change.
- With ``store_key`` an entry is sealed under that, so that a rotated secret is a change like any other; else
  under the client's credential, and what does not open was found with other settings.
- Where a client has no credential, or its connection is wrong, an entry is sealed under its name. Of a
  client that has one, such an entry is believed only where it says that the connection was wrong: who can
  write to the store cannot make a refusal look like yesterday's.
- A run that is repeated compares with what was known before it first ran: no retry of a task makes a
  change disappear.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.record_values import UNREADABLE, RecordError, past, text, texts
from airflow_oauth_provider.tokens.sealing import Sealer, looks_sealed, sealer
from airflow_oauth_provider.tokens.sharing import Sharing

KEPT = 90 * 86_400.0
"""Seconds for which an outcome is remembered."""
OK = "ok"
WRONG = "wrong_configuration"
STATES = frozenset({OK, "refused", "unreachable", WRONG, "probe_failed"})
MOST_MARKS = 64
_LONGEST_MARK = 40
_PURPOSE = "checked"


@dataclass(frozen=True)
class CheckedOutcome:
    """What a check has found.

    :param state: one of ``STATES``.
    :param marks: what else deserved a warning, in a few characters each.
    :param since: from when on the state was so (seconds since the epoch).
    :param told_at: when that was last reported.
    """

    state: str
    marks: tuple[str, ...]
    since: float
    told_at: float

    @classmethod
    def of(cls, content: Any, now: float) -> CheckedOutcome:
        """Take it from an entry.

        :raises Exception: of any kind, for one that is not what it should be.
        """
        state, marks = text(content["state"]), texts(content["marks"], _LONGEST_MARK)
        if state not in STATES or len(marks) > MOST_MARKS:
            raise RecordError("it is no outcome of a check")
        return cls(state, marks, past(content["since"], now), past(content["told_at"], now))


@dataclass(frozen=True)
class Remembered:
    """An entry of the store.

    :param run: which run has found *now*; *before* is what the one before it has.
    """

    run: str
    now: CheckedOutcome
    before: CheckedOutcome | None = None

    def dump(self) -> bytes:
        """Write it."""
        before = vars(self.before) if self.before else None
        return json.dumps({"run": _digest(self.run), "now": vars(self.now), "before": before}).encode()

    @classmethod
    def load(cls, data: bytes) -> Remembered | None:
        """Read it; ``None`` for what is not what it should be. Of the run its digest is left."""
        try:
            content, now = json.loads(data), time.time()
            before = content["before"]
            return cls(
                text(content["run"], 64),
                CheckedOutcome.of(content["now"], now),
                None if before is None else CheckedOutcome.of(before, now),
            )
        except UNREADABLE:
            return None

    def before_run(self, run: str) -> CheckedOutcome | None:
        """Return what was known before a run began."""
        return self.before if self.run == _digest(run) else self.now


class OutcomeMemory:
    """What one check remembers of one connection.

    :param checker: names the check.
    :param settings: ``None`` where the connection is wrong.
    """

    def __init__(self, sharing: Sharing, checker: str, conn_id: str, settings: ClientSettings | None) -> None:
        self._store = sharing.store
        self._key = f"{checker}\0{conn_id}"
        own = Secret(f"{_PURPOSE}\0{self._key}")
        self._by_name = tuple(sealer(own, key) for key in (sharing.keys or (None,)))
        has_credential = settings is not None and settings.credential is not None
        self._sealers: tuple[Sealer, ...] = (
            sharing.sealers(settings) if settings and has_credential and not sharing.keys else self._by_name
        )

    def read(self) -> tuple[Remembered | None, bool]:
        """Return what is remembered, and whether there is something that other settings have sealed."""
        foreign = False
        for name in self._names():
            data = self._store.read(name)
            if data is None or not looks_sealed(data):
                continue
            entry = self._opened(name, data)
            if entry is not None:
                return entry, False
            foreign = True
        return None, foreign

    def _opened(self, name: str, data: bytes) -> Remembered | None:
        for candidate in dict.fromkeys((*self._sealers, *self._by_name)):
            content = candidate.open(name, data)
            entry = Remembered.load(content) if content is not None else None
            if entry is not None and (candidate in self._sealers or entry.now.state == WRONG):
                return entry
        return None

    def write(self, entry: Remembered) -> None:
        """Remember it."""
        name = next(self._names())
        self._store.write(name, self._sealers[0].seal(name, entry.dump()), until=time.time() + KEPT)

    def _names(self) -> Iterator[str]:
        return (naming.name(_PURPOSE, self._key) for naming in self._by_name)


def _digest(run: str) -> str:
    return hashlib.sha256(run.encode(errors="replace")).hexdigest()[:32]
