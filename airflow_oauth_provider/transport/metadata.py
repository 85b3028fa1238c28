"""Fetch an authorization server's metadata document; every failure comes back as a value."""

from __future__ import annotations

import requests

from airflow_oauth_provider.protocol.http import Answer, Failure
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.transport.stopping import NEVER, Stop
from airflow_oauth_provider.transport.token_endpoint import transmit

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "airflow-oauth-provider",
}


def fetch(url: str, network: NetworkSettings, *, deadline_at: float, stop: Stop = NEVER) -> Answer | Failure:
    """GET *url*, at most 256 KiB of it, and follow no redirect.

    :param deadline_at: monotonic seconds at which this returns a timeout.
    :param stop: ends it sooner.
    """
    get = requests.Request("GET", url, headers=_HEADERS)
    return transmit(get, network, deadline_at=deadline_at, stop=stop)
