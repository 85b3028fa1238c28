"""Sensors to test."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.tasks.polling import Progress
from tests.triggers.running import to_the_end


def sensor(**arguments: Any) -> OAuth2HttpSensor:
    return OAuth2HttpSensor(
        task_id="wait",
        **{
            "oauth2_conn_id": "my_api",
            "endpoint": "job/7",
            "poke_interval": 0.05,
            "timeout": 20,
            **arguments,
        },
    )


def wait(**arguments: Any) -> Any:
    return to_the_end(sensor(**arguments))


def last_poll(response: dict[str, Any], **progress: Any) -> dict[str, Any]:
    """Return the event of a trigger whose last poll was answered."""
    return {"status": "success", "response": response, "progress": Progress(**progress).state()}
