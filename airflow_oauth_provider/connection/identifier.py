"""Which connection is meant: one id, under either of its two names.

Imports next to nothing, since every DAG file does it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

from airflow_oauth_provider.exceptions import ConfigurationError, ConnectionNotFoundError

DEFAULT_CONN_ID = "oauth2_default"
_VARIABLE = "AIRFLOW_CONN_"
_ID = re.compile(r"[^\s,\[\]'\"]+")


def ids_in_text(text: str) -> list[str]:
    """Return the ids in a text: with commas between them, or as a template that yields a list yields it."""
    return list(dict.fromkeys(_ID.findall(text)))


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


def connection_not_found(conn_id: str, stored: Iterable[str] = ()) -> ConnectionNotFoundError:
    """Build the error for an id that no connection has; it offers similar ids.

    :param stored: ids of the metadata database, for those who may list them: no version of Airflow lets a
        task do that, so that it offers those of environment variables only.
    """
    from difflib import get_close_matches

    known = [name.removeprefix(_VARIABLE).lower() for name in os.environ if name.startswith(_VARIABLE)]
    similar = get_close_matches(conn_id.lower(), known)
    hint = f"; the environment has {', '.join(similar)}" if similar else ""
    similar = get_close_matches(conn_id, list(stored))
    hint += f"; the metadata database has {', '.join(similar)}" if similar else ""
    return ConnectionNotFoundError(f"there is no such connection{hint}", conn_id=conn_id)
