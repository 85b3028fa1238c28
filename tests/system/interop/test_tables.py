"""The page and the tables agree, without any server."""

from __future__ import annotations

import os

import pytest

from airflow_oauth_provider.protocol.client.methods import METHODS
from tests.system.interop.all_tables import TABLES
from tests.system.interop.pages import cells_shown
from tests.system.interop.servers_table import METHODS_TABLE
from tests.system.interop.tables import FAILED, PAGE, WRITING, Cell, Table

MADE = Table("made", ("server", "method"), (("one", "basic"), ("one", "post")), ("token", "DPoP"))
OUTCOMES = {
    Cell("made", ("one", "basic"), "token"): "yes",
    Cell("made", ("one", "basic"), "DPoP"): "not offered",
    Cell("made", ("one", "post"), "token"): "401, once",
}


@pytest.mark.skipif(WRITING in os.environ, reason="the page is being written")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_page_has_each_cell_and_no_other(table: Table) -> None:
    assert set(table.outcomes(PAGE.read_text())) == set(table.cells()), "run: make interop-page"


@pytest.mark.skipif(WRITING in os.environ, reason="the page is being written")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_page_shows_tables_as_they_are_printed(table: Table) -> None:
    text = PAGE.read_text()
    assert table.written_into(text, cells_shown()) == text
    assert FAILED not in cells_shown().values()


def test_what_is_written_is_what_is_read() -> None:
    page = MADE.written_into("before\n<!-- made -->\nold\n<!-- /made -->\nafter\n", OUTCOMES)
    assert page.startswith("before\n<!-- made -->\n| server | method | token     | DPoP        |\n| --")
    assert page.endswith("|\n<!-- /made -->\nafter\n")
    assert MADE.outcomes(page) == {**OUTCOMES, Cell("made", ("one", "post"), "DPoP"): FAILED}


def test_a_page_without_the_table_has_no_cells() -> None:
    assert MADE.outcomes("nothing here") == {}


def test_every_method_of_the_package_has_a_row() -> None:
    """All but ``custom``, which makes no request of its own."""
    rows = {method for _, method in METHODS_TABLE.rows}
    assert rows == {name for name, method in METHODS.items() if method.function is not None}
