"""Discovery, as the command drives it."""

from __future__ import annotations

import time

from airflow_oauth_provider.policy import Policy
from airflow_oauth_provider.protocol.discovery import Metadata, check_issuer, discovery
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.urls import host_allowed
from airflow_oauth_provider.transport.metadata import fetch

MAX_WAIT = 20.0
"""Seconds for both places where the document may be."""


def metadata_of(issuer: str, policy: Policy) -> Metadata:
    """Fetch an issuer's metadata.

    :param issuer: with or without ``https://``.
    :raises OAuthError: when there is none that can be used.
    """
    issuer = issuer if "://" in issuer else f"https://{issuer}"
    listed = host_allowed(check_issuer(issuer, policy.token_hosts).origin, policy.token_hosts)
    network = NetworkSettings(token_host_listed=listed)
    deadline_at = time.monotonic() + MAX_WAIT
    flow = discovery(issuer, policy.token_hosts)
    asked = next(flow)
    while True:
        try:
            asked = flow.send(fetch(asked.url, network, deadline_at=deadline_at))
        except StopIteration as end:
            found: Metadata = end.value
            return found
