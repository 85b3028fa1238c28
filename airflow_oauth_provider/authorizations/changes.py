"""What has changed since a check was last made, so that a daily report is no noise.

=============  =======================================================================
``first``      nothing is remembered: everything is reported once
``edited``     what is remembered was met with another credential, or a field is wrong now
``failed``     it worked and does not, or fails in another way
``recovered``  it failed and works, or what it was warned of is over
``expiring``   certificate or credential have come nearer to their end
``warning``    something else deserves a warning that did not
``reminder``   it is still as it was reported, some days ago
=============  =======================================================================
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from airflow_oauth_provider.authorizations.checking import Target
from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.authorizations.times import DAY, utc
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, TransportError
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.checked_outcomes import (
    MOST_MARKS,
    OK,
    WRONG,
    CheckedOutcome,
    OutcomeMemory,
    Remembered,
)

REMIND_AFTER = 7.0
"""Days after which what is still wrong is reported again."""
_NEARER = (7.0, 1.0, 0.0)
"""Days before an end at which it is reported once more."""
_WORDS = {
    "first": "checked for the first time",
    "edited": "checked for the first time since it was edited",
    "failed": "new since the last check",
    "expiring": "nearer than at the last check",
    "warning": "new since the last check",
}


@dataclass(frozen=True)
class Change:
    """What has changed of one connection.

    :param kind: see the module; ``None`` for nothing.
    :param since: from when on it works, or fails as it does now (seconds since the epoch).
    :param was_failing_since: where it has recovered.
    """

    kind: str | None
    since: float
    was_failing_since: float | None = None
    memory: OutcomeMemory | None = field(default=None, repr=False, compare=False)
    entry: Remembered | None = field(default=None, repr=False, compare=False)

    @property
    def text(self) -> str:
        """In a few words, for behind what is reported."""
        if self.kind == "recovered" and self.was_failing_since is None:
            return "what it was warned of is over"
        if self.kind == "recovered":
            return f"recovered: failing since {utc(self.was_failing_since)}"
        return _WORDS.get(self.kind or "", f"since {utc(self.since)}")

    def remember(self) -> None:
        """Let the next check compare with this one."""
        if self.memory is not None and self.entry is not None:
            self.memory.write(self.entry)


class Changes:
    """What one check remembers.

    :param checker: names the check.
    :param run: names this run of it; the same run again finds the same changes.
    :param remind_after: days after which what is still wrong is reported again; 0 for never.
    """

    def __init__(self, policy: Policy, checker: str, run: str, *, remind_after: float = REMIND_AFTER) -> None:
        self._policy = policy
        self._checker = checker
        self._run = run
        self._remind_after = remind_after * DAY

    def of(self, target: Target, result: CheckResult, marks: Iterable[str]) -> Change:
        """Compare a result with the last one.

        :param marks: of :func:`marks_of`.
        """
        settings = _settings(target, self._policy)
        memory = OutcomeMemory(self._policy.sharing, self._checker, target.conn_id, settings)
        entry, foreign = memory.read()
        before, now = entry.before_run(self._run) if entry else None, time.time()
        outcome = CheckedOutcome(state_of(result), tuple(dict.fromkeys(marks))[:MOST_MARKS], now, now)
        kind = self._kind(before, outcome, foreign=foreign)
        if before is not None:
            since = before.since if before.state == outcome.state else now
            told_at = before.told_at if kind is None else now
            outcome = CheckedOutcome(outcome.state, outcome.marks, since, told_at)
        failing_since = before.since if before is not None and before.state != outcome.state else None
        return Change(kind, outcome.since, failing_since, memory, Remembered(self._run, outcome, before))

    def _kind(self, before: CheckedOutcome | None, outcome: CheckedOutcome, *, foreign: bool) -> str | None:
        if before is None:
            return "edited" if foreign else "first"
        if outcome.state != before.state:
            return "recovered" if outcome.state == OK else "failed"
        new = set(outcome.marks) - set(before.marks)
        if outcome.state == OK and before.marks and not outcome.marks:
            return "recovered"
        if new:
            return "expiring" if any(":" in mark for mark in new) else "warning"
        is_due = 0 < self._remind_after <= outcome.told_at - before.told_at
        return "reminder" if is_due and (outcome.state != OK or outcome.marks) else None


def state_of(result: CheckResult) -> str:
    """Return in which way a check has failed, if it has; decided by type."""
    error = result.error
    if error is None:
        return OK
    if isinstance(error, ConfigurationError):
        return WRONG
    if result.expires_at is not None:
        return "probe_failed"
    return "unreachable" if _passes(error) else "refused"


def _passes(error: OAuthError) -> bool:
    return error.retryable or isinstance(error, TransportError)


def marks_of(result: CheckResult, warnings: Sequence[str], within_days: float) -> list[str]:
    """Return what deserves a warning in marks that stay the same while it does.

    :param warnings: but those of ends.
    :param within_days: as of :func:`expiry_warnings`.
    """
    ends = {"certificate": result.certificate_expires_at, "credential": result.credential_expires_at}
    marks = [
        f"{name}:{_step(ends_at, within_days)}"
        for name, ends_at in ends.items()
        if ends_at is not None and ends_at - time.time() <= within_days * DAY
    ]
    return marks + [hashlib.sha256(warning.encode(errors="replace")).hexdigest()[:16] for warning in warnings]


def _step(ends_at: float, within_days: float) -> str:
    """Return how near an end is, in steps."""
    days = (ends_at - time.time()) / DAY
    return f"{min((step for step in (within_days, *_NEARER) if days <= step), default=within_days):g}"


def _settings(target: Target, policy: Policy) -> ClientSettings | None:
    if target.connection is None:
        return None
    try:
        return resolve(target.connection, policy, thorough=False).settings
    except ConfigurationError:
        return None
