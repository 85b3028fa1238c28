"""A layer that is broken on purpose fails ``lint-imports``, and the report names the import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = "airflow_oauth_provider"
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and the contracts, where they can be broken."""
    folder = tmp_path_factory.mktemp("layers")
    ignored = shutil.ignore_patterns("__pycache__", "static", "templates")
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> tuple[int, str]:
    """Return exit code and report of ``lint-imports``."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract", "named"),
    [
        pytest.param(
            "tokens/records.py",
            f"from {PACKAGE}.client import oauth2_client",
            "Layers point down",
            f"{PACKAGE}.tokens.records -> {PACKAGE}.client.oauth2_client",
            id="upwards",
        ),
        pytest.param(
            "operators/oauth2.py",
            f"from {PACKAGE}.sensors import oauth2",
            "Layers point down",
            f"{PACKAGE}.operators.oauth2 -> {PACKAGE}.sensors.oauth2",
            id="beside",
        ),
        pytest.param(
            "protocol/moments.py",
            "import time",
            "The protocol does no I/O",
            f"{PACKAGE}.protocol.moments -> time",
            id="clock-in-the-protocol",
        ),
        pytest.param(
            "tokens/records.py",
            "def late() -> None:\n    from airflow.sdk import Variable",
            "Acquiring a token never calls Airflow",
            f"{PACKAGE}.tokens.records -> airflow",
            id="Airflow-in-a-function-of-the-engine",
        ),
        pytest.param(
            "testing/plugin.py",
            f"from {PACKAGE} import exceptions",
            "What tests of DAGs use needs nothing of the package",
            f"{PACKAGE}.testing.plugin -> {PACKAGE}.exceptions",
            id="the-pytest-plugin-needs-the-package",
        ),
        pytest.param(
            "operators/oauth2.py",
            f"from {PACKAGE}.testing import server",
            "The package needs nothing that tests of DAGs use",
            f"{PACKAGE}.operators.oauth2 -> {PACKAGE}.testing.server",
            id="the-package-needs-the-pytest-plugin",
        ),
    ],
)
def test_a_broken_layer_is_reported(copied: Path, module: str, line: str, contract: str, named: str) -> None:
    path = copied / PACKAGE / module
    before = path.read_text()
    path.write_text(f"{before}\n\n{line}\n")
    try:
        code, report = lint(copied)
    finally:
        path.write_text(before)
    assert code == 1, report
    assert f"{contract} BROKEN" in report
    assert named in report


def test_as_it_is_no_contract_is_broken(copied: Path) -> None:
    code, report = lint(copied)
    assert code == 0, report
    assert "0 broken" in report


def test_each_room_stands_in_a_layer() -> None:
    """A room that no contract names could import whatever it likes."""
    rooms = {path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    text = (ROOT / "pyproject.toml").read_text()
    assert rooms == {room for room in rooms if f"{PACKAGE}.{room}" in text}


def test_nothing_is_left_out_of_what_the_pytest_plugin_stands_apart_from() -> None:
    """A new room or module has to be named in both contracts."""
    root = ROOT / PACKAGE
    names = {path.parent.name for path in root.glob("*/__init__.py")} | {
        path.stem for path in root.glob("*.py")
    }
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    by_name = {contract["name"]: contract for contract in contracts}
    needs = by_name["What tests of DAGs use needs nothing of the package"]["forbidden_modules"]
    needed = by_name["The package needs nothing that tests of DAGs use"]["source_modules"]
    expected = {f"{PACKAGE}.{name}" for name in names - {"__init__", "testing"}}
    assert (expected - set(needs), expected - set(needed)) == (set(), set())
