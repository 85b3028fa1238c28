"""Discovery by command."""

from __future__ import annotations

import shlex
import time

from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.discovery import check_issuer, discovery
from airflow_oauth_provider.protocol.token.metadata import Metadata
from airflow_oauth_provider.protocol.urls import host_allowed
from airflow_oauth_provider.transport.driver import Driver

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
    flow = discovery(issuer, policy.token_hosts, deadline=time.monotonic() + MAX_WAIT)
    return Driver(network).run(flow)


def creation_of(metadata: Metadata) -> str:
    """Return the command that creates a connection to that server.

    With the method that is the default, unless the server names others only.
    """
    known = FIELDS_BY_KEY["auth_method"]
    offered = metadata.auth_methods or (str(known.default),)
    method = next((choice for choice in known.choices if choice in offered), known.default)
    chosen = "" if method == known.default else f" --set auth_method={method}"
    issuer = shlex.quote(metadata.issuer)
    return f"airflow oauth2 create NAME --discovery {issuer} --client-id ID --secret-stdin{chosen}"
