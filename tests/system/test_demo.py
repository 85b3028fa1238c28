"""``make demo``, as a newcomer runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.demo.dag_runs import ROOT
from tests.demo.orders import CLIENT_SECRET
from tests.support.migrated import SHARED


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo() -> None:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    for name in ("AIRFLOW_HOME", SHARED):  # nothing is there yet, a database neither
        environment.pop(name, None)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.demo.main"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 token request, 5 API calls" in ended.stdout
    assert CLIENT_SECRET not in ended.stdout
