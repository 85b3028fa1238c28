"""A connection's values, apart from whatever read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.exceptions import ConfigurationError


@dataclass(frozen=True)
class ConnectionValues:
    """What stands in a connection; good in any thread, and after its database session has ended.

    :param team: that owns it, where Airflow says so. It has no part in finding a token (tasks, whose
        tokens these are, do not know it), only in the display index.
    """

    conn_id: str
    conn_type: str = ""
    description: str | None = None
    host: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    port: int | None = None
    extra: str | None = field(default=None, repr=False)
    team: str | None = None

    @classmethod
    def of(cls, connection: Any) -> ConnectionValues:
        """Copy the values of a connection, of the Task SDK or of the database model.

        :raises ConfigurationError: when a stored value cannot be read.
        """
        if isinstance(connection, cls):
            return connection
        values = {name: value_of(connection, name) for name in _NAMES}
        return cls(str(connection.conn_id), **values, team=team_of(connection))


_NAMES = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")


def team_of(connection: Any) -> str | None:
    """Return the team that owns a connection, where Airflow says so."""
    team = getattr(connection, "team_name", None) or getattr(connection, "team", None)
    return str(team) if team else None


def value_of(connection: Any, name: str) -> Any:
    """Read one value; the database model decrypts and parses while it is asked.

    :raises ConfigurationError: when it cannot be read.
    """
    try:
        return getattr(connection, name)
    except ValueError:
        reason = "is not valid JSON, or no JSON object"
    except Exception as error:  # cryptography's and Airflow's own
        reason = f"cannot be read ({type(error).__name__}): was it stored under another Fernet key?"
    raise ConfigurationError(reason, field=name, conn_id=str(connection.conn_id))
