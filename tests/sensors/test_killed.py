"""A killed sensor: as Airflow does it, by SIGTERM and ``on_kill`` within the signal handler."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from tests.support.killed import killed

pytestmark = [pytest.mark.airflow]

ROOT = Path(__file__).parents[2]
WAITING = """
import json, signal, sys
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor

sensor = OAuth2HttpSensor(
    task_id="x", oauth2_conn_id="my_api", endpoint="job/7", poke_interval=60, **json.loads(sys.argv[1])
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
    hangs: str, options: dict[str, Any], job: ApiEndpoint, tmp_path: Path
) -> None:
    """SIGKILL would follow after 5 s; a kill is neither "not yet" nor a reason to skip."""
    job.route("job/7", {}, status=404)
    if hangs == "poke":
        job.delay(60)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(ROOT),
    }
    output, seconds = killed(
        WAITING,
        json.dumps(options),
        folder=ROOT,
        environment=environment,
        waits=lambda: job.requests,
        pause=0.5,
    )
    assert "TaskStoppedError" in output, output
    assert seconds < 2.0
    assert len(job.requests) == 1
