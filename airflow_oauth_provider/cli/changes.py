"""What ``airflow oauth2 check`` says has changed since it was last run."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_oauth_provider.authorizations import AuthorizationStatus, CheckResult, Target
from airflow_oauth_provider.authorizations.changes import Changes
from airflow_oauth_provider.authorizations.findings import Finding
from airflow_oauth_provider.authorizations.times import SOON, iso
from airflow_oauth_provider.deployment.policy import Policy

_CHECKER = "airflow oauth2 check"
"""Names the memory of the command, which no scheduled check shares."""


def findings_of(
    targets: Mapping[str, Target], results: Iterable[CheckResult], policy: Policy
) -> dict[str, Finding]:
    """Compare results with those of the command's last run, and remember them for the next."""
    changes = Changes(policy, _CHECKER, str(uuid.uuid4()))
    findings = {
        result.conn_id: Finding.of(targets[result.conn_id], result, changes, SOON) for result in results
    }
    for finding in findings.values():
        finding.change.remember()
    return findings


def check_report(finding: Finding, status: AuthorizationStatus, general: tuple[str, ...]) -> dict[str, Any]:
    """Return a check as JSON has it.

    :param general: warnings that concern all.
    """
    report = finding.result.report()
    news = {"change": finding.change.kind, "since": iso(finding.change.since)}
    return report | news | {"status": status.value, "warnings": [*report["warnings"], *general]}


def change_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield what has changed; of a first check the table tells."""
    return (
        f'Connection "{finding.result.conn_id}" has changed: {finding.line}'
        for finding in findings
        if finding.is_news and finding.change.kind != "first"
    )
