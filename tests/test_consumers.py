"""Tests of libraries that stand in an environment of their own: what is skipped, and where nothing may be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    "test_marked.py": """
import pytest

@pytest.mark.consumer("json", "json.nothing", "nothing.at_all")
def test_missing():
    raise AssertionError

@pytest.mark.consumer("json.decoder")
def test_there():
    pass
""",
    "test_whole_file.py": 'import pytest\npytest.importorskip("nothing_at_all")\n',
}


@pytest.mark.parametrize(
    ("consumers", "outcome", "status"),
    [("", "1 passed, 2 skipped", 0), ("true", "1 passed, 2 errors", 1)],
    ids=["elsewhere", "in its environment"],
)
def test_a_library_that_is_missing(tmp_path: Path, consumers: str, outcome: str, status: int) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    options = ["-q", "-rs", "-W", "ignore", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    places = [f"--rootdir={tmp_path}", "-c", os.devnull, "--continue-on-collection-errors", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *places],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CONSUMERS": consumers, "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome in ended.stdout, ended.returncode) == (True, status), ended.stdout + ended.stderr
    assert "make test-consumers has it: json.nothing, nothing.at_all" in ended.stdout
