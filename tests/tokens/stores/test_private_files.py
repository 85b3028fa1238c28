"""Ours alone, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_oauth_provider.tokens.stores.private_files import is_private_file, is_private_folder, is_same


@pytest.mark.parametrize(("mode", "private"), [(0o600, True), (0o400, True), (0o640, False), (0o602, False)])
def test_files(mode: int, private: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    assert is_private_file(path.stat()) is private
    assert not is_private_folder(path.stat())


def test_folders(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert is_private_folder(tmp_path.stat())
    assert not is_private_file(tmp_path.stat())
    tmp_path.chmod(0o711)
    assert not is_private_folder(tmp_path.stat())


def test_a_file_under_its_name(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    path = tmp_path / "file"
    path.touch()
    opened = path.stat()
    assert is_same(opened, "file", folder)
    path.rename(tmp_path / "other")
    assert not is_same(opened, "file", folder)
    path.touch()
    assert not is_same(opened, "file", folder)
    os.close(folder)
