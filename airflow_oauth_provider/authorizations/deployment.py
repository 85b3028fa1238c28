"""What concerns all connections of a deployment alike."""

from __future__ import annotations

import socket

from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.tokens.stores import Reach


def deployment_warnings(policy: Policy) -> tuple[str, ...]:
    """Return what concerns all connections alike."""
    warnings = []
    if not policy.token_hosts:
        warnings.append(
            "[oauth2] allowed_token_hosts is empty: anybody who may edit a connection can have its secret "
            "sent to any host. List the hosts of your access token URLs in airflow.cfg, for example "
            "allowed_token_hosts = idp.example, *.auth.example"
        )
    if not policy.api_hosts:
        warnings.append(
            "[oauth2] allowed_api_hosts is empty: anybody who may edit a connection can have its token "
            "sent to any host. List the hosts of your APIs in airflow.cfg, for example "
            "allowed_api_hosts = api.example"
        )
    return tuple(warnings)


def store_note(policy: Policy) -> str | None:
    """Say whose use the displays are about; ``None`` where it is everybody's."""
    reach = policy.sharing.store.reach
    if reach is Reach.HOST:
        return (
            f"Tokens are shared on this host: what you see is about the host {socket.gethostname()} only "
            "([oauth2] token_store)."
        )
    if reach is Reach.PROCESS:
        return "Tokens are not shared: what you see is about this process only ([oauth2] token_store)."
    return None
