"""What concerns all connections of a deployment alike."""

from __future__ import annotations

import socket

from airflow_oauth_provider.deployment.policy import Policy


def deployment_warnings(policy: Policy) -> tuple[str, ...]:
    """Return what concerns all connections alike."""
    found = []
    if not policy.token_hosts:
        found.append(
            "[oauth2] allowed_token_hosts is empty: whoever may edit a connection can have its secret sent "
            "to any host"
        )
    if not policy.api_hosts:
        found.append(
            "[oauth2] allowed_api_hosts is empty: whoever may edit a connection can have its token sent to "
            "any host"
        )
    return tuple(found)


def store_note(policy: Policy) -> str | None:
    """Say whose use the displays speak of; ``None`` where it is everybody's."""
    kind = policy.sharing.store.kind
    if kind == "file":
        return (
            f"Tokens are shared in files: what is shown speaks of the host {socket.gethostname()} only "
            "([oauth2] token_store)."
        )
    if kind == "memory":
        return "Tokens are not shared: what is shown speaks of this process only ([oauth2] token_store)."
    return None
