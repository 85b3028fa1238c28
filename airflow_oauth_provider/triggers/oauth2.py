"""The triggers: make a call, or poll until a response is the one that is waited for.

They report errors by events and never raise for an authorization problem; no event holds a token, a
secret or a cookie.
"""

from __future__ import annotations

from airflow_oauth_provider.triggers.call_trigger import OAuth2HttpTrigger, WaitTrigger
from airflow_oauth_provider.triggers.sensor_trigger import OAuth2HttpSensorTrigger
from airflow_oauth_provider.triggers.watcher import OAuth2HttpEventTrigger

__all__ = [
    "OAuth2HttpEventTrigger",
    "OAuth2HttpSensorTrigger",
    "OAuth2HttpTrigger",
    "WaitTrigger",
]
