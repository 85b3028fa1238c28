"""A store in files, so that what one process leaves another can tell of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_oauth_provider.client import report
from airflow_oauth_provider.tokens.manager import shared


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the token store."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    report.reset()
    return tmp_path / "oauth2_token_store"


@pytest.fixture
def another_process(store: Path) -> Callable[[], None]:
    """Return what makes this process know no more than a new one would."""

    def begin() -> None:
        shared.clear()
        report.reset()

    return begin
