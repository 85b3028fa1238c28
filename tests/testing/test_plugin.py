"""The plugin as it is installed: found by pytest from the wheel, light, and in nobody's way."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.demo.dag_runs import ROOT

PLUGIN = "airflow_oauth_provider.testing.plugin"
USERS_TEST = """
import airflow_oauth_provider
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator

def test_where_the_package_is():
    print("AT", airflow_oauth_provider.__file__)

def test_orders(oauth2_server, oauth2_connection):
    conn_id = oauth2_connection("orders_api")
    oauth2_server.api.route("orders", "all")
    assert OAuth2HttpOperator(
        task_id="orders", oauth2_conn_id=conn_id, method="GET", endpoint="orders"
    ).execute({}) == "all"
"""


def run(*arguments: str, path: Path, folder: Path) -> str:
    """Run Python in a folder of its own, where *path* holds the package."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    environment = {**given, "PYTHONPATH": str(path), "AIRFLOW_HOME": str(folder / "home")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, with its entry points, away from the source."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(
        "-m",
        "pip",
        "wheel",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
        "-w",
        str(folder),
        str(ROOT),
        path=ROOT,
        folder=folder,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    assert built.strip() == ""
    return folder / "unpacked"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="by-its-entry-point"),
        pytest.param(("-p", PLUGIN), id="named-as-well"),
    ],
)
def test_pytest_finds_it_in_the_wheel(unpacked: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "test_users.py").write_text(USERS_TEST)
    output = run(
        *("-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *options), path=unpacked, folder=tmp_path
    )
    assert "2 passed" in output, output
    assert f"AT {unpacked}" in output


@pytest.mark.slow
def test_it_can_be_left_out(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(USERS_TEST)
    output = run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", f"no:{PLUGIN}"),
        path=unpacked,
        folder=tmp_path,
    )
    assert "1 passed, 1 error" in output, output
    assert "fixture 'oauth2_server' not found" in output


def test_until_a_fixture_is_used_it_imports_nothing(tmp_path: Path) -> None:
    program = f"import json, sys, pytest; old = set(sys.modules); import {PLUGIN}; "
    added = json.loads(
        run("-c", program + "print(json.dumps(sorted(set(sys.modules) - old)))", path=ROOT, folder=tmp_path)
    )
    assert added == ["airflow_oauth_provider", "airflow_oauth_provider.testing", PLUGIN]


def test_the_server_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """With no folder for packages that are installed."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import airflow_oauth_provider.testing.server"
    assert run("-I", "-S", "-c", program, path=ROOT, folder=tmp_path) == ""
    report = f"{program}; print([name for name in sys.modules if name.startswith('airflow_oauth')])"
    loaded = ast.literal_eval(run("-I", "-S", "-c", report, path=ROOT, folder=tmp_path))
    assert [name for name in loaded if ".testing" not in name] == ["airflow_oauth_provider"]
