"""What is installed: the wheel, not the source tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.version import Version

from airflow_oauth_provider import __version__
from airflow_oauth_provider.connection.presets import presets
from tests.demo.dag_runs import ROOT
from tests.demo.orders import OrdersServer

NAME = f"airflow_oauth_provider-{__version__}"
INFORMATION = f"{NAME}.dist-info"
PUBLISHING = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["publishing"]
REPOSITORY = "https://code.example/oauth"


@dataclass(frozen=True)
class Built:
    """Wheel and source distribution, and those of a copy elsewhere, whose repository has an address."""

    wheel: Path
    sdist: Path
    folder: Path
    elsewhere: Path

    def build(self, source: Path, into: str) -> Path:
        out = self.folder / into
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(out)],
            cwd=source,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder / "tools"),
                "SOURCE_DATE_EPOCH": str(PUBLISHING["source-date-epoch"]),
            },
            check=True,
            capture_output=True,
        )
        return out


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder / "tools"), "hatchling"],
        check=True,
        capture_output=True,
    )
    made = Built(
        folder / "here" / f"{NAME}-py3-none-any.whl",
        folder / "here" / f"{NAME}.tar.gz",
        folder,
        folder / "copy",
    )
    made.build(ROOT, "here")
    with tarfile.open(made.sdist) as archive:
        archive.extractall(folder, filter="data")
    (folder / NAME).rename(made.elsewhere)
    return made


def metadata(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"{INFORMATION}/METADATA").decode()


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = set(archive.namelist())
        points = archive.read(f"{INFORMATION}/entry_points.txt").decode()
    about = {name for name in names if name.startswith(INFORMATION)}
    assert {name.removeprefix(f"{INFORMATION}/") for name in about} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "licenses/LICENSE",
    }
    sources = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "airflow_oauth_provider").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert names - about == sources
    suffixes = {Path(name).suffix for name in sources}
    assert suffixes == {".py", ".typed", ".toml", ".yaml", ".html", ".css", ".js"}
    assert "airflow_oauth_provider/py.typed" in names
    assert "[apache_airflow_provider]" in points
    assert "airflow_oauth_provider.get_provider_info:get_provider_info" in points
    assert "oauth2_servers = airflow_oauth_provider.plugin.entry:OAuth2ServersPlugin" in points
    assert (
        "[pytest11]\nairflow_oauth_provider.testing.plugin = airflow_oauth_provider.testing.plugin" in points
    )
    assert "License-Expression: Apache-2.0" in metadata(built.wheel)


@pytest.mark.slow
def test_the_source_distribution_can_be_worked_with(built: Built) -> None:
    """It has tests, docs and what CI needs, and nothing that somebody made on the way."""
    with tarfile.open(built.sdist) as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    tops = {name.split("/")[0] for name in names}
    assert tops == {
        *("airflow_oauth_provider", "tests", "example_dags", "benchmarks", "docs", ".ci", ".gitignore"),
        *(
            "pyproject.toml",
            "Makefile",
            "README.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "LICENSE",
            "PKG-INFO",
        ),
    }
    tracked = {
        str(file.relative_to(ROOT))
        for top in ("airflow_oauth_provider", "example_dags", "benchmarks")
        for file in (ROOT / top).rglob("*.py")
    }
    assert tracked <= names
    assert not [name for name in names if re.search(r"__pycache__|/_build/|\.venv|node_modules|\.log$", name)]


@pytest.mark.slow
def test_two_builds_are_equal(built: Built) -> None:
    """One of the checkout, one of what was unpacked elsewhere, with other times of its files."""
    for file in built.elsewhere.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    again = built.build(built.elsewhere, "again")
    assert (again / built.wheel.name).read_bytes() == built.wheel.read_bytes()
    assert (again / built.sdist.name).read_bytes() == built.sdist.read_bytes()


@pytest.mark.slow
def test_one_variable_makes_all_urls(built: Built) -> None:
    assert ("Project-URL" in metadata(built.wheel)) is bool(PUBLISHING["repository"])
    source = built.folder / "published"
    shutil.copytree(built.elsewhere, source)
    settings = source / "pyproject.toml"
    lines = settings.read_text().splitlines()
    assert [line for line in lines[:5] if line.startswith("repository = ")]
    settings.write_text(
        re.sub(r'(?m)^repository = ".*"$', f'repository = "{REPOSITORY}/"', settings.read_text(), count=1)
    )
    text = metadata(built.build(source, "urls") / built.wheel.name)
    given = dict(line.split(", ") for line in re.findall(r"^Project-URL: (.*)$", text, re.MULTILINE))
    assert set(given) == {"Homepage", "Documentation", "Changelog", "Source", "Issues"}
    assert all(url == REPOSITORY or url.startswith(f"{REPOSITORY}/") for url in given.values())
    for url in (given["Documentation"], given["Changelog"]):
        assert (ROOT / url.partition("/blob/main/")[2]).is_file()


MAIN_JOB = """
import json, pathlib, airflow_oauth_provider
from importlib.metadata import distribution
from airflow_oauth_provider.connection.presets import presets
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
installed = distribution("airflow-oauth-provider")
points = {point.group: point.load() for point in installed.entry_points}
print(json.dumps({
    "from": [str(pathlib.Path(airflow_oauth_provider.__file__).parents[1]), str(installed.locate_file(""))],
    "presets": len(presets()),
    "name": points["apache_airflow_provider"]()["package-name"],
    "plugin": points["airflow.plugins"].name,
    "orders": OAuth2Hook(method="GET", oauth2_conn_id="orders_api").run("orders").json()["orders"],
}))
"""


@pytest.mark.slow
def test_it_works_from_the_wheel_with_the_source_away(built: Built, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    with zipfile.ZipFile(built.wheel) as archive:
        archive.extractall(installed)
    with OrdersServer() as server:
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MAIN_JOB],
            cwd=tmp_path,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
                "AIRFLOW_HOME": str(tmp_path / "home"),
                "AIRFLOW__OAUTH2__TOKEN_STORE": "memory",
                "AIRFLOW_CONN_ORDERS_API": json.dumps(server.connection()),
                "PYTHONPATH": str(installed),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert server.counts() == {"token requests": 1, "API calls": 1}
    seen = json.loads(ended.stdout.strip().splitlines()[-1])
    assert seen["from"] == [str(installed), str(installed)]
    assert (seen["name"], len(seen["orders"])) == ("airflow-oauth-provider", 3)
    assert seen["plugin"]
    assert seen["presets"] == len(presets())


FLOORS = {"aiohttp": "3.14.4", "requests": "2.33.0", "urllib3": "2.8.0", "PyJWT": "2.15.0"}


@pytest.mark.fault("F29")
@pytest.mark.parametrize("name", FLOORS)
def test_the_security_floors(name: str) -> None:
    assert f"{name} ≥ {FLOORS[name]}" in (ROOT / "README.md").read_text()
    files = sorted((ROOT / ".ci" / "constraints").glob("airflow-*.txt"))
    assert len(files) >= 4
    for file in files:
        pins = dict(line.split("==") for line in file.read_text().lower().splitlines() if "==" in line)
        assert Version(pins[name.lower()]) >= Version(FLOORS[name]), file.name


def test_constraints_name_packages_and_no_registry() -> None:
    files = sorted((ROOT / ".ci" / "constraints").glob("*.txt"))
    assert {"docs.txt", "release.txt"} <= {file.name for file in files}
    for file in files:
        for line in file.read_text().splitlines():
            assert re.fullmatch(r"-c airflow-[0-9.]+\.txt|[A-Za-z0-9_.-]+[=<>].*|#.*|", line), line
            assert "://" not in line
