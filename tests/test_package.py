"""What is installed: the wheel, not the source tree."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from airflow_oauth_provider import __version__
from tests.demo.dag_runs import ROOT


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert __version__ in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        information = f"airflow_oauth_provider-{__version__}.dist-info"
        assert {name.split("/")[0] for name in names} == {"airflow_oauth_provider", information}
        assert "airflow_oauth_provider/py.typed" in names
        assert f"{information}/licenses/LICENSE" in names
        points = archive.read(f"{information}/entry_points.txt").decode()
        metadata = archive.read(f"{information}/METADATA").decode()
    assert "[apache_airflow_provider]" in points
    assert "airflow_oauth_provider.get_provider_info:get_provider_info" in points
    assert "oauth2_servers = airflow_oauth_provider.plugin.entry:OAuth2ServersPlugin" in points
    assert (
        "[pytest11]\nairflow_oauth_provider.testing.plugin = airflow_oauth_provider.testing.plugin" in points
    )
    assert "License-Expression: Apache-2.0" in metadata
    sources = {
        str(file.relative_to(ROOT))
        for kind in ("py", "html", "css", "js", "toml")
        for file in (ROOT / "airflow_oauth_provider").rglob(f"*.{kind}")
    }
    assert sources <= set(names)


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
