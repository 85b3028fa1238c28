"""Each cell of the table of authorization servers."""

from __future__ import annotations

import pytest

from tests.system.interop.deployments import Deployment
from tests.system.interop.features import FEATURES, Trial
from tests.system.interop.pages import hold, parameters
from tests.system.interop.servers_table import METHODS_TABLE
from tests.system.interop.tables import Cell

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("deployment", "cell"), parameters(METHODS_TABLE), indirect=["deployment"])
def test_a_method(deployment: Deployment, cell: Cell, request: pytest.FixtureRequest) -> None:
    trial = Trial(deployment, cell.row[1])
    hold(cell, FEATURES[cell.column].outcome(trial), request)
