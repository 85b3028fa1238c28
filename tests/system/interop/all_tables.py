"""The tables, in the order of the page."""

from __future__ import annotations

from tests.system.interop.servers_table import METHODS_TABLE

TABLES = (METHODS_TABLE,)
