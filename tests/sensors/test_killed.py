"""A killed sensor: as Airflow does it, by SIGTERM and ``on_kill`` within the signal handler."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers.scripted import Delay, Json
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until

pytestmark = [pytest.mark.airflow]

ROOT = Path(__file__).parents[2]
WAITING = """
import json, os, signal, sys
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor

os.environ["AIRFLOW_CONN_API"] = sys.argv[1]
sensor = OAuth2HttpSensor(
    task_id="x", oauth2_conn_id="api", endpoint="x", poke_interval=60, **json.loads(sys.argv[2])
)
signal.signal(signal.SIGTERM, lambda *_: sensor.on_kill())
try:
    sensor.execute({})
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


@pytest.mark.parametrize(
    "hangs, options",
    [
        pytest.param("poke", {}, id="poke[L02]"),
        pytest.param("pause", {}, id="pause[L02]"),
        pytest.param("poke", {"silent_fail": True}, id="silent[L02]"),
        pytest.param("poke", {"never_fail": True}, id="not-skipped[L02]"),
    ],
)
def test_a_killed_sensor_leaves_every_wait_within_two_seconds(
    hangs: str, options: dict[str, Any], service: Service, tmp_path: Path
) -> None:
    """SIGKILL would follow after 5 s; a kill is neither "not yet" nor a reason to skip."""
    service.api = lambda _: Delay(60, Json({})) if hangs == "poke" else Json({}, 404)
    task = subprocess.Popen(
        [sys.executable, "-c", WAITING, service.environment(), json.dumps(options)],
        env={
            "PATH": "/usr/bin:/bin",
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__OAUTH2__TOKEN_STORE": "memory",
            "PYTHONWARNINGS": "ignore",
            "PYTHONPATH": str(ROOT),
        },
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: service.calls, "a call")
        time.sleep(0.5)
        watch = Stopwatch()
        task.send_signal(signal.SIGTERM)
        output = ""
        while task.stdout and "Error" not in output and (line := task.stdout.readline()):
            output += line
        took = watch.seconds  # without the interpreter's own end
        task.communicate(timeout=60)
    finally:
        task.kill()
    assert "TaskStoppedError" in output, output
    assert took < 2.0
    assert len(service.calls) == 1
