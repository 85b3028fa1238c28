"""The tables, in the order of the page."""

from __future__ import annotations

from tests.system.interop.algorithms import ALGORITHMS_TABLE
from tests.system.interop.apis import APIS_TABLE
from tests.system.interop.assertions import ASSERTIONS_TABLE
from tests.system.interop.servers_table import METHODS_TABLE

TABLES = (METHODS_TABLE, APIS_TABLE, ALGORITHMS_TABLE, ASSERTIONS_TABLE)
