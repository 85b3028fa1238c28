"""Rows and lines in which commands show results and authorizations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airflow_oauth_provider.authorizations import Authorization, CheckResult
from airflow_oauth_provider.authorizations.steps import STEP_LABELS, step_text
from airflow_oauth_provider.authorizations.summary import with_expiry
from airflow_oauth_provider.authorizations.times import utc


def unusual_lines(results: Iterable[CheckResult]) -> Iterator[str]:
    """Yield in what connections deviate from the standards."""
    return (
        f'Connection "{result.conn_id}" is set for an unusual server: {"; ".join(result.unusual)}'
        for result in results
        if result.unusual
    )


def warning_lines(rows: Iterable[CheckResult | Authorization]) -> Iterator[str]:
    """Yield the warnings, each with its connection."""
    return (f'Connection "{row.conn_id}": {text}' for row in rows for text in row.warnings)


def step_rows(result: CheckResult) -> Iterator[dict[str, Any]]:
    """Yield the steps of a check as rows of a table of their own."""
    for step in result.steps:
        addresses = f" [{', '.join(step.addresses)}]" if step.addresses else ""
        yield {
            "name": result.conn_id,
            "step": STEP_LABELS[step.name],
            "result": "ok" if step.ok else "failed",
            "seconds": f"{step.seconds:.3f}",
            "host": f"{step.host or ''}{addresses}",
            "details": step_text(step),
        }


def authorized_facts(result: CheckResult) -> dict[str, Any]:
    """Return what there is to say of a new token."""
    return {
        "Connection": result.conn_id,
        "Credential": result.credential_source,
        "Tokens bound by": result.sender_constraint,
        "Authorized until": utc(result.expires_at),
        "Granted scopes": result.granted,
        "Granted details": result.details,
        "Not granted": result.not_granted,
        "Probe": result.probe,
        "Token says, not verified": result.claims.lines if result.claims else (),
    }


def listed_row(authorization: Authorization) -> dict[str, Any]:
    """Return a connection as a row of the list."""
    return {
        "name": authorization.conn_id,
        "category": authorization.category,
        "token host": authorization.token_host,
        "method": ", ".join(filter(None, _method(authorization))),
        "scope": " ".join(authorization.scope),
        # Of the credential's end its warnings speak.
        "status": with_expiry(authorization.text, authorization.certificate_expires_at),
        "last authorized": utc(authorization.authorized_at),
    }


def _method(authorization: Authorization) -> tuple[str | None, ...]:
    return authorization.auth_method, authorization.sender_constraint, authorization.credential_source
