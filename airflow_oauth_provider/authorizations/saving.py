"""Save connections in the metadata database, one of a name, and nobody over what somebody else has saved.

Imported by neither tasks nor triggers, which have no access to the database.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.authorizations.storable import unstorable
from airflow_oauth_provider.authorizations.stored import StoredConnection, find_connection, replace_connection
from airflow_oauth_provider.authorizations.unforeseen import unforeseen
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError, require_right, wrong_fields
from airflow_oauth_provider.client import masking
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.connection.resolving import Resolved, resolve
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError

_ELSEWHERE = (
    "tasks read it from the environment or a secrets backend, which comes before the metadata database"
)


class ChangedMeanwhileError(ConfigurationError):
    """Somebody else has changed or deleted the connection since it was read; nothing is saved."""


def checked_and_saved(
    values: ConnectionValues,
    save: Callable[[ConnectionValues], None],
    faults: Faults | None = None,
) -> tuple[str, ...]:
    """Check a connection as tasks will, register its secrets with Airflow's masker, and save it.

    :param faults: what is known to be wrong; then nothing is saved.
    :return: what deserves a warning about it.
    :raises WrongFieldsError: with all that is wrong.
    :raises ConfigurationError: when it must not be saved.
    :raises OAuthError: when the database fails, whose own error repeats all that was to be saved.
    """
    resolved = _checked(values, faults or Faults())
    masking.mask_settings(resolved.settings)
    try:
        save(values)
    except OAuthError:
        raise
    except Exception as error:
        failure = unforeseen(error, values.conn_id, "saved")
    else:
        return resolved.warnings
    raise failure


def _checked(values: ConnectionValues, faults: Faults) -> Resolved:
    policy = read_policy()
    require_right(values, policy, faults)
    try:
        resolved = resolve(values, policy)
    except ConfigurationError as error:
        if error.field is None:
            raise
        wrong = {error.field: error.message}
    else:
        wrong = unstorable(values)
        if not wrong:
            return resolved
    raise WrongFieldsError.of(wrong_fields(values, policy, wrong), values.conn_id)


def save_new(values: ConnectionValues) -> None:
    """Save a new connection.

    :raises ConfigurationError: when the database, the environment or a secrets backend has one of that name.
    """
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import IntegrityError

    if is_elsewhere(values.conn_id):
        raise ConfigurationError(
            f"exists already: {_ELSEWHERE}. Choose another name", field="conn_id", conn_id=values.conn_id
        )
    taken = ConfigurationError(
        "exists already: change it with `airflow oauth2 edit` or in the user interface, or delete it "
        "first (`airflow connections delete`)",
        field="conn_id",
        conn_id=values.conn_id,
    )
    with suppress(IntegrityError), create_session(scoped=False) as session:
        if session.scalar(select(Connection.id).where(Connection.conn_id == values.conn_id)) is not None:
            raise taken
        session.add(
            Connection(
                conn_id=values.conn_id,
                conn_type=CONNECTION_TYPE,
                description=values.description,
                host=values.host,
                login=values.login,
                password=values.password,
                extra=values.extra,
            )
        )
        session.flush()
        return
    raise taken  # somebody else was faster


def editable(conn_id: str) -> StoredConnection:
    """Find a connection that can be edited.

    :raises ConfigurationError: when the metadata database has none of our type, or tasks read another.
    """
    stored = find_connection(conn_id)
    if stored is None:
        reason = "the metadata database has no connection of this name and type"
    elif is_elsewhere(conn_id):
        reason = f"{_ELSEWHERE}: edit it there"
    else:
        return stored
    raise ConfigurationError(reason, conn_id=conn_id)


def is_elsewhere(conn_id: str) -> bool:
    """Whether tasks read a connection of this name from the environment or a secrets backend."""
    from airflow.configuration import ensure_secrets_loaded
    from airflow.secrets.metastore import MetastoreBackend

    for backend in ensure_secrets_loaded():
        if not isinstance(backend, MetastoreBackend):
            with suppress(Exception):  # Airflow asks the next one, too
                if backend.get_connection(conn_id) is not None:
                    return True
    return False


def replace(before: StoredConnection, values: ConnectionValues) -> None:
    """Save an edited connection.

    :raises ChangedMeanwhileError: when somebody has changed it meanwhile.
    """
    if not replace_connection(before, values):
        raise ChangedMeanwhileError(
            "was changed or deleted by somebody else meanwhile: nothing is saved; look at it and try again",
            conn_id=values.conn_id,
        )
