"""A plugin of pytest that prints the tables at the end: ``pytest tests/system/interop -p tests.system.interop.printing``.

With ``INTEROP_WRITE`` in the environment it puts them into ``docs/interoperability.md``, too.
"""  # noqa: E501

from __future__ import annotations

import os

import pytest

from tests.system.interop.tables import PAGE, PROPERTY, WRITING, Cell

_outcomes: dict[Cell, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect what the cells say."""
    if report.when == "call":
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, tuple | list):
                table, row, column, outcome = value
                _outcomes[Cell(table, tuple(row), column)] = outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables, and write them where that is wanted."""
    from tests.system.interop.all_tables import TABLES

    cells = [cell for table in TABLES for cell in table.cells()]
    red = [cell for cell in cells if cell not in _outcomes]
    for table in TABLES:
        terminalreporter.write_line(f"\n{table.name}\n")
        for line in table.lines(_outcomes):
            terminalreporter.write_line(line)
    terminalreporter.write_line(f"\n{len(cells)} cells, {len(red)} red")
    if WRITING in os.environ and not red:
        text = PAGE.read_text()
        for table in TABLES:
            text = table.written_into(text, _outcomes)
        PAGE.write_text(text)
