"""Rows and lines of commands, made of plain values."""

from __future__ import annotations

import time

from airflow_oauth_provider.authorizations.authorization import Authorization, AuthorizationStatus
from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.cli.rows import (
    authorized_facts,
    listed_row,
    step_rows,
    unusual_lines,
    warning_lines,
)
from airflow_oauth_provider.transport.steps import Step, StepName

USUAL = CheckResult("billing")


def test_only_unusual_connections_have_a_line() -> None:
    unusual = CheckResult("orders", unusual=("body_format: json", "grant_name: account_credentials"))
    assert list(unusual_lines([USUAL, unusual])) == [
        'Connection "orders" is set for an unusual server: body_format: json; grant_name: account_credentials'
    ]


def test_each_warning_has_a_line_and_its_connection() -> None:
    rows = [CheckResult("orders", warnings=("one", "two")), USUAL, CheckResult("crm", warnings=("three",))]
    assert list(warning_lines(rows)) == [
        'Connection "orders": one',
        'Connection "orders": two',
        'Connection "crm": three',
    ]


def test_steps_are_rows_in_their_order() -> None:
    steps = (
        Step(StepName.RESOLVE, host="idp.example", addresses=("192.0.2.1", "192.0.2.2"), seconds=0.0125),
        Step(StepName.REQUEST, ok=False, text="HTTP 401"),
    )
    resolved, asked = step_rows(CheckResult("orders", steps=steps))
    assert (resolved["name"], resolved["step"], resolved["result"]) == ("orders", "Name resolved", "ok")
    assert (resolved["seconds"], resolved["host"]) == ("0.013", "idp.example [192.0.2.1, 192.0.2.2]")
    assert (asked["step"], asked["result"], asked["host"]) == ("Token request", "failed", "")
    assert "HTTP 401" in asked["details"]


def test_facts_of_a_new_token() -> None:
    result = CheckResult(
        "orders",
        credential_source="env ERP_SECRET",
        sender_constraint="DPoP",
        expires_at=0.0,
        granted=("read",),
        missing=("write",),
        probe="200",
    )
    facts = authorized_facts(result)
    assert (facts["Connection"], facts["Credential"], facts["Tokens bound by"], facts["Probe"]) == (
        "orders",
        "env ERP_SECRET",
        "DPoP",
        "200",
    )
    assert facts["Authorized until"].startswith("1970-01-01 00:00")
    assert (tuple(facts["Granted scopes"]), tuple(facts["Not granted"])) == (("read",), ("write",))
    assert facts["Token says, not verified"] == ()


def test_a_row_of_the_list_says_how_and_until_when() -> None:
    authorization = Authorization(
        "orders",
        AuthorizationStatus.NOT_YET,
        category="sales",
        token_host="idp.example",
        auth_method="private_key_jwt",
        sender_constraint="DPoP",
        credential_source="file /run/key",
        scope=("read", "write"),
        certificate_expires_at=time.time() + 86400,
    )
    row = listed_row(authorization)
    assert (row["name"], row["category"], row["token host"]) == ("orders", "sales", "idp.example")
    assert row["method"] == "private_key_jwt, DPoP, file /run/key"
    assert row["scope"] == "read write"
    assert row["status"].startswith("Not yet; ")
    assert "certificate" in row["status"]
