"""Checks as a table: what the command prints and what the check operator logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_oauth_provider.authorizations.clamping import LONGEST_CELL, clamp
from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.authorizations.times import SOON, expiry_warnings
from airflow_oauth_provider.protocol.texts import plain


def checked_row(
    result: CheckResult, *, outcome: str | None = None, within_days: float = SOON
) -> dict[str, Any]:
    """Return a check as a row of a table.

    :param outcome: instead of "ok" or "failed".
    :param within_days: warn of what ends within so many days.
    """
    ends = (result.certificate_expires_at, result.credential_expires_at)
    return {
        "name": result.conn_id,
        "category": result.category,
        "result": outcome or ("ok" if result.ok else "failed"),
        "message": with_expiry(result.message, *ends, within_days=within_days),
    }


def with_expiry(
    text: str, certificate: float | None, credential: float | None = None, *, within_days: float = SOON
) -> str:
    """Return a text with what ends soon behind it, as much as a cell holds."""
    warning = "; ".join(expiry_warnings(certificate, credential, within_days))
    if not warning:
        return text
    # Before the cell is cut: an end is not to be lost behind a long refusal.
    return f"{clamp(text.rstrip('.'), LONGEST_CELL - len(warning) - 2)}; {warning}"


def aligned(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a table of plain text, in the form of Airflow's own.

    Cells hold what servers and editors wrote: each stays on its line.
    """
    if not rows:
        return ""
    cells = [[cell(value) for value in row.values()] for row in rows]
    table = [list(rows[0]), *cells]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    head, *body = (
        " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )
    return "\n".join((head, "=+=".join("=" * width for width in widths), *body))


def cell(value: object) -> str:
    """Return a value as a cell holds it: on one line, cut, and without anything that steers a terminal."""
    return clamp(" ".join(plain("" if value is None else value).split()), LONGEST_CELL)
