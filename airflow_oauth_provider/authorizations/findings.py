"""What a scheduled check reports of a connection: its result, its warnings, what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.authorizations.changes import Change, Changes, marks_of
from airflow_oauth_provider.authorizations.checking import Target
from airflow_oauth_provider.authorizations.deployment import deployment_warnings
from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.authorizations.summary import aligned, checked_row
from airflow_oauth_provider.authorizations.times import expiry_warnings, iso
from airflow_oauth_provider.deployment.policy import Policy

_ORDER = ("failed", "warning", "ok")


@dataclass(frozen=True)
class Finding:
    """What the check of one connection has brought."""

    result: CheckResult
    warnings: tuple[str, ...]
    change: Change

    @classmethod
    def of(cls, target: Target, result: CheckResult, changes: Changes, within_days: float) -> Finding:
        """Judge a result.

        :param within_days: warn of what ends within so many days.
        """
        warnings = list(result.warnings)
        if result.not_granted:
            warnings.append(f"asked for, but not granted: {' '.join(result.not_granted)}")
        ends = expiry_warnings(result.certificate_expires_at, result.credential_expires_at, within_days)
        change = changes.of(target, result, marks_of(result, warnings, within_days))
        return cls(result, (*warnings, *ends), change)

    @property
    def outcome(self) -> str:
        """``failed``, ``warning`` or ``ok``."""
        if not self.result.ok:
            return "failed"
        return "warning" if self.warnings else "ok"

    @property
    def text(self) -> str:
        """What is wrong, on one line."""
        texts = self.warnings if self.result.ok else (self.result.message.rstrip("."), *self.warnings)
        return "; ".join(texts)

    @property
    def line(self) -> str:
        """The same with what has changed."""
        return f"{self.text} ({self.change.text})" if self.text else self.change.text

    @property
    def is_news(self) -> bool:
        """Whether there is something to report that was not reported before."""
        if self.outcome == "ok":
            return self.change.kind == "recovered"
        return self.change.kind is not None

    def report(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return self.result.report() | {
            "outcome": self.outcome,
            "warnings": list(self.warnings),
            "change": self.change.kind,
            "since": iso(self.change.since),
        }


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return those that failed first, then those with warnings."""
    return sorted(findings, key=lambda finding: _ORDER.index(finding.outcome))


def table(findings: Sequence[Finding], within_days: float) -> str:
    """Return the command's table."""
    rows = (
        checked_row(finding.result, outcome=finding.outcome, within_days=within_days)
        for finding in worst_first(findings)
    )
    return aligned(list(rows))


def report_of(findings: Sequence[Finding], policy: Policy) -> dict[str, Any]:
    """Return the report of a check."""
    outcomes = [finding.outcome for finding in findings]
    return {
        "ok": "failed" not in outcomes,
        "checked": len(findings),
        "failed": outcomes.count("failed"),
        "with_warnings": outcomes.count("warning"),
        "changes": [
            {"conn_id": finding.result.conn_id, "change": finding.change.kind, "text": finding.line}
            for finding in worst_first(findings)
            if finding.is_news
        ],
        "connections": [finding.report() for finding in findings],
        "notes": list(deployment_warnings(policy)),
    }
