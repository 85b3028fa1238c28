"""Each cell of the table of assertions."""

from __future__ import annotations

import pytest

from tests.system.interop.assertions import ASSERTIONS_TABLE, Exchange
from tests.system.interop.deployments import Deployment
from tests.system.interop.pages import hold, parameters
from tests.system.interop.tables import Cell

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("deployment", "cell"), parameters(ASSERTIONS_TABLE), indirect=["deployment"])
def test_an_assertion(deployment: Deployment, cell: Cell, request: pytest.FixtureRequest) -> None:
    _, method, typ = cell.row
    hold(cell, Exchange(deployment, method, typ, cell.column).outcome(), request)
