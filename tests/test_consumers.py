"""Tests of libraries that stand in an environment of their own: what is skipped, and where nothing may be."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_oauth_provider.get_provider_info import get_provider_info
from airflow_oauth_provider.plugin.entry import OAuth2ServersPlugin
from tests.manual.consumers import CONSUMERS, DISTRIBUTIONS, consumer_table

ROOT = Path(__file__).parents[1]
FILES = {
    "test_marked.py": """
import pytest

@pytest.mark.consumer("json", "json.nothing", "nothing.at_all")
def test_missing():
    raise AssertionError

@pytest.mark.consumer("pytest")
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
    options = ["-v", "-rs", "-W", "ignore", "-p", "no:cacheprovider", "-p", "tests.conftest"]
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
    assert f"test_there[pytest {pytest.__version__}] PASSED" in ended.stdout, "the id says what it ran with"


def test_each_library_of_the_page_is_one_that_tests_run_with() -> None:
    sources = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    marks = (mark for source in sources for mark in re.findall(r"\bmark\.consumer\((.*?)\)", source))
    tested = {module for mark in marks for module in re.findall(r'"([\w.]+)"', mark)}
    assert tested == {module for consumer in CONSUMERS for module in consumer.modules} == DISTRIBUTIONS.keys()


def test_each_library_has_a_page_that_shows_what_to_write() -> None:
    pages = {f"consumers/{page.name}": page.read_text() for page in (ROOT / "docs/consumers").glob("*.md")}
    assert pages.keys() == {consumer.page for consumer in CONSUMERS if consumer.modules}
    assert all("```" in text and "](../consumers.md)" in text for text in pages.values())


def test_the_table_names_the_versions_of_the_tests() -> None:
    (trino,) = [row for row in consumer_table() if row.startswith("| [Trino]")]
    assert re.search(r"\| trino \d+\.\d+\.\d+ \|$", trino)


def test_no_macro_and_no_variable_renders_a_token() -> None:
    """What is rendered stands in the database, in plain text."""
    assert OAuth2ServersPlugin.macros == []
    assert not {"macros", "secrets-backends"} & get_provider_info().keys()
    package = [path.read_text() for path in (ROOT / "airflow_oauth_provider").rglob("*.py")]
    assert not [text for text in package if re.search(r"import .*\bVariable\b|Variable\.[sg]et", text)]
