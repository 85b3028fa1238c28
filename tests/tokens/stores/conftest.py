"""Where stores keep their files."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Not there yet: a store makes it."""
    return tmp_path / "oauth2_token_store"
