"""A token engine of its own for a test; nothing that was refused in one test counts in the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_oauth_provider.tokens.manager import TokenManager
from airflow_oauth_provider.tokens.sealed_entries import refusals


@pytest.fixture(autouse=True)
def _forget_refusals() -> Iterator[None]:
    refusals.clear()
    yield
    refusals.clear()


@pytest.fixture
def manager() -> Iterator[TokenManager]:
    manager = TokenManager()
    yield manager
    manager.clear()
