"""A cell, its test and the page that shows it."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest

from tests.system.interop.all_tables import TABLES
from tests.system.interop.tables import PAGE, PROPERTY, WRITING, Cell, Table


def parameters(table: Table) -> list[Any]:
    """Return a parameter of pytest for each cell: the server, then the cell."""
    return [pytest.param(cell.row[0], cell, id=str(cell)) for cell in table.cells()]


@cache
def cells_shown() -> dict[Cell, str]:
    """Return what the page says of each cell."""
    text = PAGE.read_text()
    return {cell: outcome for table in TABLES for cell, outcome in table.outcomes(text).items()}


def hold(cell: Cell, outcome: str, request: pytest.FixtureRequest) -> None:
    """Note what a cell says, for the tables that are printed, and compare it with the page."""
    request.node.user_properties.append((PROPERTY, (cell.table, cell.row, cell.column, outcome)))
    if WRITING not in os.environ:
        assert cells_shown().get(cell) == outcome, "docs/interoperability.md says so; run: make interop-page"
