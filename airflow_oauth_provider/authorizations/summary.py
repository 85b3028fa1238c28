"""A report as Markdown, for the task log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_oauth_provider.protocol.texts import plain

_MARKS = {"ok": "ok", "warning": "**warning**", "failed": "**failed**"}


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report as a Markdown table, with what to do below it."""
    return "\n".join(_lines(report))


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield "## Authorizations"
    yield ""
    yield (f"{report['checked']} checked, {report['failed']} failed, {report['with_warnings']} with warnings")
    yield ""
    yield "| connection | category | outcome | token until | token host |"
    yield "|---|---|---|---|---|"
    for row in report["connections"]:
        cells = (
            row["conn_id"],
            row["category"],
            _MARKS[row["outcome"]],
            row["expires_at"],
            row["token_host"],
        )
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |"
    details = list(_details(report))
    if details:
        yield ""
        yield from details


def _details(report: Mapping[str, Any]) -> Iterator[str]:
    for row in report["connections"]:
        if not row["ok"]:
            yield f"- {_cell(row['conn_id'])}: {_cell(row['message'])}. {_cell(row['error']['remedy'])}"
        for warning in row["warnings"]:
            yield f"- {_cell(row['conn_id'])}: {_cell(warning)}"
    for warning in report["notes"]:
        yield f"- {_cell(warning)}"


def _cell(value: object) -> str:
    """Keep one value in its cell and on its line."""
    return " ".join(plain(value).replace("|", "\\|").split())
