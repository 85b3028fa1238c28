"""Check many connections politely.

At most four at once, each a moment after the other, so that no server sees a burst. A host that has
refused a client is asked again a second later at the earliest: many lock an account or an address
after a few refusals.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_oauth_provider.authorizations.actions import Job
from airflow_oauth_provider.authorizations.results import Checked
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, TokenEndpointError
from airflow_oauth_provider.fields import CONNECTION_TYPE
from airflow_oauth_provider.transport.stopping import GLANCE, NEVER, Stop

AT_ONCE = 4
SPACING = 1.0
"""Seconds between two requests to a host that has refused a client."""
JITTER = 0.006
_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})


@dataclass(frozen=True)
class Target:
    """A connection to be checked.

    :param connection: itself; ``None`` where it could not be read, with *error* saying why.
    """

    conn_id: str
    connection: Any = field(default=None, repr=False)
    error: OAuthError | None = None

    @classmethod
    def of(cls, connection: Any) -> Target:
        """Take a connection that has been read already."""
        return cls.read(str(connection.conn_id), lambda _: connection)

    @classmethod
    def read(cls, conn_id: str, read: Callable[[str], Any]) -> Target:
        """Read a connection by its id; one that is missing becomes a result like any other."""
        try:
            values = ConnectionValues.of(read(conn_id))
        except OAuthError as error:
            return cls(conn_id, error=error.for_connection(conn_id))
        except AirflowNotFoundException:
            return cls(conn_id, error=ConfigurationError("there is no such connection", conn_id=conn_id))
        except Exception as error:  # of secrets backends and of Airflow, whatever they are
            text = f"the connection cannot be read ({type(error).__name__})"
            return cls(conn_id, error=ConfigurationError(text, conn_id=conn_id))
        if values.conn_type != CONNECTION_TYPE:
            text = f"is not of type {CONNECTION_TYPE}"
            return cls(conn_id, error=ConfigurationError(text, field="conn_type", conn_id=conn_id))
        return cls(conn_id, values)


def check_all(
    targets: Iterable[Target],
    *,
    on_done: Callable[[Checked], None] = lambda _: None,
    stop: Stop = NEVER,
) -> list[Checked]:
    """Get a new token for each connection, as a scheduled check does, and call ``probe_path``.

    :param on_done: is called in this thread for each result as it comes.
    :param stop: ends it when the task is being killed.
    :return: the results in the order of *targets*.
    :raises TaskStoppedError: when stopped.
    """
    order = list({target.conn_id: target for target in targets}.values())
    checks = _Checks(on_done, stop)
    for target in order:
        checks.add(target)
    checks.run()
    return [checks.results[target.conn_id] for target in order]


class _Checks:
    """Keeps four checks under way. All but :meth:`Job.check` happens in the caller's thread."""

    def __init__(self, on_done: Callable[[Checked], None], stop: Stop) -> None:
        self.results: dict[str, Checked] = {}
        self._on_done = on_done
        self._stop = stop
        self._waiting: deque[Job] = deque()
        self._running: dict[Future[Checked], Job] = {}
        self._not_before: dict[str, float] = {}

    def add(self, target: Target) -> None:
        """Resolve a connection; what is wrong with it is a result already."""
        if target.error is not None:
            self._done(Checked(target.conn_id, error=target.error))
            return
        try:
            self._waiting.append(Job.of(target.connection, masks=False, stop=self._stop))
        except ConfigurationError as error:
            self._done(Checked(target.conn_id, error=error))

    def run(self) -> None:
        """Check them all."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="oauth2-check") as pool:
            while self._waiting or self._running:
                self._stop.check()
                while len(self._running) < AT_ONCE and (job := self._next_due()):
                    self._running[pool.submit(_check_in_a_moment, job)] = job
                self._collect()

    def _next_due(self) -> Job | None:
        """Take the first whose host may be asked now."""
        now = time.monotonic()
        for job in self._waiting:
            host = str(job.facts.token_host)
            at = self._not_before.get(host)
            if at is None or at <= now:
                if at is not None:
                    self._not_before[host] = now + SPACING
                self._waiting.remove(job)
                return job
        return None

    def _collect(self) -> None:
        pause = GLANCE if len(self._running) == AT_ONCE else min(GLANCE, self._until_next())
        if not self._running:
            time.sleep(pause)
            return
        ended, _ = wait(self._running, timeout=pause, return_when=FIRST_COMPLETED)
        for future in ended:
            job = self._running.pop(future)
            checked = future.result()
            if job.client.trace.requests and _refuses_client(checked.error):
                self._not_before[str(job.facts.token_host)] = time.monotonic() + SPACING
            self._done(checked)

    def _until_next(self) -> float:
        """Return the seconds until a host may be asked again; nothing waits for another reason."""
        now = time.monotonic()
        waits = [self._not_before.get(str(job.facts.token_host), now) - now for job in self._waiting]
        return max(0.0, min(waits, default=GLANCE))

    def _done(self, checked: Checked) -> None:
        self.results[checked.conn_id] = checked
        self._on_done(checked)


def _check_in_a_moment(job: Job) -> Checked:
    time.sleep(random.uniform(0, JITTER))  # noqa: S311  (not a secret)
    return job.check()


def _refuses_client(error: OAuthError | None) -> bool:
    return isinstance(error, TokenEndpointError) and error.error in _CLIENT_ERRORS
