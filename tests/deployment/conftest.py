from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_oauth_provider.deployment.options import OPTIONS
from airflow_oauth_provider.deployment.policy import Policy, read_policy


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    for option in OPTIONS:
        monkeypatch.delenv(f"AIRFLOW__OAUTH2__{option.upper()}", raising=False)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Policy]:
    """Read the section with options as an administrator sets them in the environment."""

    def read(**options: str) -> Policy:
        for option, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__OAUTH2__{option.upper()}", value)
        return read_policy()

    return read
