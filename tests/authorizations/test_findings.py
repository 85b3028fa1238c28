"""The report of a scheduled check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_oauth_provider.authorizations import CheckResult, Target
from airflow_oauth_provider.authorizations.changes import Changes
from airflow_oauth_provider.authorizations.findings import Finding, report_of, table, worst_first
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import TransportError
from tests.support.service import Service

GOOD = CheckResult("good", expires_at=2e9)
LESS = CheckResult("less", expires_at=2e9, missing=("more",))
BAD = CheckResult("bad", error=TransportError("away"))


def findings(service: Service, *results: CheckResult, run: str = "1") -> list[Finding]:
    changes = Changes(read_policy(), "daily", run)
    made = [
        Finding.of(Target.of(service.connection(conn_id=result.conn_id)), result, changes, 30)
        for result in results
    ]
    for finding in made:
        finding.change.remember()
    return made


def names(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["conn_id"], change["change"]) for change in report["changes"]]


def test_a_report_counts_and_tells_what_is_new(service: Service, store: Path) -> None:
    first = report_of(findings(service, GOOD, LESS, BAD), read_policy())
    assert (first["ok"], first["checked"], first["failed"], first["with_warnings"]) == (False, 3, 1, 1)
    assert names(first) == [("bad", "first"), ("less", "first")], "what works needs no word"
    again = report_of(findings(service, GOOD, LESS, BAD, run="2"), read_policy())
    assert names(again) == []
    assert [row["change"] for row in again["connections"]] == [None] * 3
    recovered = CheckResult("bad", expires_at=2e9)
    assert names(report_of(findings(service, recovered, run="3"), read_policy())) == [("bad", "recovered")]


def test_the_worst_comes_first(service: Service, store: Path) -> None:
    made = findings(service, GOOD, LESS, BAD)
    assert [finding.result.conn_id for finding in worst_first(made)] == ["bad", "less", "good"]
    assert [line.split("|")[0].strip() for line in table(made, 30).splitlines()[2:]] == [
        "bad",
        "less",
        "good",
    ]


def test_a_line_says_what_is_wrong_and_since_when(service: Service, store: Path) -> None:
    (finding,) = findings(service, LESS)
    assert finding.line == "asked for, but not granted: more (checked for the first time)"
    (later,) = findings(service, LESS, run="2")
    assert later.line.startswith("asked for, but not granted: more (since 20")
