"""Which connection is meant: one id, under either of its two names.

Imports next to nothing, since every DAG file does it.
"""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.exceptions import ConfigurationError

DEFAULT_CONN_ID = "oauth2_default"


def one_conn_id(oauth2_conn_id: str | None, http_conn_id: str | None, otherwise: str | None = None) -> str:
    """Return the connection id that was given under either name.

    :raises ConfigurationError: when two different ones were.
    """
    if oauth2_conn_id and http_conn_id and oauth2_conn_id != http_conn_id:
        raise ConfigurationError(
            "oauth2_conn_id and http_conn_id name two different connections: give one of them",
            field="oauth2_conn_id",
            conn_id=oauth2_conn_id,
        )
    return oauth2_conn_id or http_conn_id or otherwise or DEFAULT_CONN_ID


def require_no_auth_type(auth_type: Any, conn_id: str) -> None:
    """Refuse what Airflow's HTTP classes take and ours cannot use.

    :raises ConfigurationError: for anything but ``None``.
    """
    if auth_type is not None:
        raise ConfigurationError(
            "the OAuth 2.0 connection authenticates by itself: leave auth_type out",
            field="auth_type",
            conn_id=conn_id,
        )
