"""The history of one connection, for displays; no network, and nothing of it is a secret.

>>> history = history_of(connection)
>>> for use in history.uses() if history else ():
...     use.dag_id, use.task_id, use.last_at
"""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.client.history import Subject, recorder
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.tokens.history.task_names import TaskUse
from airflow_oauth_provider.tokens.history.timeline import Timeline

__all__ = ["TaskUse", "Timeline", "history_of", "subject_of"]


def history_of(connection: Any, policy: Policy | None = None) -> Timeline | None:
    """Return the outcomes of a connection, and the tasks that have used it (``.uses()``).

    Merges what processes have appended since the last time.

    :param connection: of the Task SDK or of the database model.
    :param policy: as it was just read.
    :return: ``None`` where none is kept, or the connection is wrong.
    """
    subject = subject_of(connection, policy or read_policy())
    if subject is None:
        return None
    if not subject.sharing.history_days:
        subject.journal.clear()
        return None
    recorder.append_now(subject)
    return subject.journal.timeline()


def subject_of(connection: Any, policy: Policy) -> Subject | None:
    """Return what the history of a connection is found by; ``None`` for a connection that is wrong."""
    try:
        values = ConnectionValues.of(connection)
        settings = resolve(values, policy, thorough=False).settings
    except ConfigurationError:
        return None
    return Subject(values.conn_id, settings, policy.sharing)
