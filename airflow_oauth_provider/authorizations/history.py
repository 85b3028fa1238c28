"""The history of one connection, for displays; no network, and nothing of it is a secret.

>>> history = history_of(connection)
>>> for use in history.uses() if history else ():
...     use.dag_id, use.task_id, use.last_at
"""

from __future__ import annotations

import time
from typing import Any

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.client.history import Subject, recorder
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.history.strip import Period
from airflow_oauth_provider.tokens.history.task_names import TaskUse
from airflow_oauth_provider.tokens.history.timeline import Timeline
from airflow_oauth_provider.tokens.sharing import Sharing

__all__ = ["History", "MergeAllowance", "Period", "TaskUse", "Timeline", "history_of"]


class MergeAllowance:
    """The time that a list takes to merge what was appended; of the rest it shows what was merged before.

    :param seconds: for all rows together.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self._left = seconds

    @property
    def lasts(self) -> bool:
        """Whether any time is left."""
        return self._left > 0

    def spend(self, seconds: float) -> None:
        """Take off what one row has taken."""
        self._left -= seconds


class History:
    """The history of one connection, read when it is asked for.

    :param settings: of the connection.
    """

    def __init__(self, conn_id: str, settings: ClientSettings, sharing: Sharing) -> None:
        self._subject = Subject(conn_id, settings, sharing)

    @property
    def days(self) -> int:
        """Days for which it is kept; 0 where none is."""
        return self._subject.sharing.history_days

    @property
    def shared(self) -> bool:
        """Whether it is that of all processes, and not of this one alone."""
        return self._subject.sharing.store_for(self._subject.settings) is self._subject.sharing.store

    def day(self, allowance: MergeAllowance) -> tuple[Period, ...] | None:
        """Return the last day in half hours; ``None`` where nothing is known."""
        if not self._is_kept():
            return None
        began = time.monotonic()
        strip = self._subject.journal.strip(merge=allowance.lasts)
        allowance.spend(time.monotonic() - began)
        return strip.day(time.time()) if strip else None

    def timeline(self) -> Timeline | None:
        """Return all of it, merged; ``None`` where none is kept."""
        return self._subject.journal.timeline() if self._is_kept() else None

    def report(self) -> dict[str, int] | None:
        """Return the totals of the last day, as JSON has them."""
        periods = self.day(MergeAllowance())
        if periods is None:
            return None
        return {name: sum(getattr(period, name) for period in periods) for name in Period._fields}

    def _is_kept(self) -> bool:
        """Append what this process has seen; where none is kept, remove what there is."""
        if not self.days:
            self._subject.journal.clear()
            return False
        recorder.append_now(self._subject)
        return True


def history_of(connection: Any, policy: Policy | None = None) -> Timeline | None:
    """Return the outcomes of a connection, and the tasks that have used it (``.uses()``).

    Merges what processes have appended since the last time.

    :param connection: of the Task SDK or of the database model.
    :param policy: as it was just read.
    :return: ``None`` where none is kept, or the connection is wrong.
    """
    policy = policy or read_policy()
    try:
        values = ConnectionValues.of(connection)
        settings = resolve(values, policy, thorough=False).settings
    except ConfigurationError:
        return None
    return History(values.conn_id, settings, policy.sharing).timeline()
