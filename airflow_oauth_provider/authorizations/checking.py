"""Check many connections politely.

At most four at once, started a moment apart, so that no server sees a burst. A host that has
refused a client is asked once a second, until it grants a token again: many lock an address after a
few refusals in a row.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_oauth_provider.authorizations.actions import ConnectionCheck, prepared_check
from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.authorizations.spacing import HostSpacing
from airflow_oauth_provider.authorizations.unforeseen import unforeseen
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.identifier import connection_not_found
from airflow_oauth_provider.connection.resolving import require_type
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.transport.steps import Trace
from airflow_oauth_provider.transport.stopping import GLANCE, Stop

AT_ONCE = 4
STAGGER = 0.05
"""Seconds within which the first ones start."""


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
            require_type(values)
        except OAuthError as error:
            return cls(conn_id, error=error.for_connection(conn_id))
        except AirflowNotFoundException:
            return cls(conn_id, error=connection_not_found(conn_id))
        except Exception as error:  # of secrets backends and of Airflow, whatever they are
            text = f"the connection cannot be read ({type(error).__name__})"
            return cls(conn_id, error=ConfigurationError(text, conn_id=conn_id))
        return cls(conn_id, values)


def check_all(
    targets: Iterable[Target],
    *,
    on_done: Callable[[CheckResult], None] = lambda _: None,
    stop: Stop | None = None,
    traced: bool = False,
) -> list[CheckResult]:
    """Get a new token for each connection, as a scheduled check does, and call ``probe_path``.

    Whatever ends it early (Ctrl-C, a task's timeout) stops the checks that are under way, too.

    :param on_done: is called in this thread for each result as it comes.
    :param stop: ends it when the task is being killed.
    :param traced: results have their steps, too.
    :return: the results in the order of *targets*.
    :raises TaskStoppedError: when stopped.
    """
    order = list({target.conn_id: target for target in targets}.values())
    checks = _Checks(order, on_done, stop or Stop(), traced=traced)
    checks.run()
    return [checks.results[target.conn_id] for target in order]


def check_one(connection: Any, spacing: HostSpacing) -> CheckResult:
    """Check one connection, as one of many that a person checks from a page.

    It waits for its turn at a host that has refused a client. ``probe_path`` is called only where
    ``allowed_api_hosts`` lists its host.

    :param spacing: which those checks have in common.
    """
    check = prepared_check(connection, "checked", masks=False, trace=Trace())
    if isinstance(check, CheckResult):
        return check
    spacing.take_turn(_host(check))
    started_at = time.monotonic()
    result = check.check(listed_only=True)
    if check.client.cost.requests:
        spacing.record_outcome(_host(check), result, started_at)
    return result


class _Checks:
    """Keeps four checks under way. All but :meth:`ConnectionCheck.check` happens in the caller's thread."""

    def __init__(
        self,
        targets: Iterable[Target],
        on_done: Callable[[CheckResult], None],
        stop: Stop,
        *,
        traced: bool,
    ) -> None:
        self.results: dict[str, CheckResult] = {}
        self._targets = deque(targets)
        self._on_done = on_done
        self._stop = stop
        self._traced = traced
        self._waiting: deque[ConnectionCheck] = deque()
        self._running: dict[Future[CheckResult], _Run] = {}
        self._spacing = HostSpacing()
        self._started = 0

    def _add_some(self) -> None:
        """Resolve some more connections, while others are being checked."""
        for _ in range(min(AT_ONCE, len(self._targets))):
            self._add(self._targets.popleft())

    def _add(self, target: Target) -> None:
        """Resolve a connection; what is wrong with it is a result already."""
        if target.error is not None:
            self._done(CheckResult(target.conn_id, error=target.error))
            return
        trace = Trace() if self._traced else None
        check = prepared_check(target.connection, "checked", masks=False, stop=self._stop, trace=trace)
        if isinstance(check, CheckResult):
            self._done(check)
        else:
            self._waiting.append(check)

    def run(self) -> None:
        """Check them all."""
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="oauth2-check")
        try:
            while self._targets or self._waiting or self._running:
                self._stop.check()
                self._add_some()
                while len(self._running) < AT_ONCE and (check := self._next_due()):
                    self._start(pool, check)
                self._collect()
        except BaseException:
            self._stop.stop()
            raise
        finally:
            # Not waited for: a timeout is to end the task now, and who was stopped ends by itself.
            pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, pool: Executor, check: ConnectionCheck) -> None:
        self._started += 1
        # Later ones start as others end, and so stay apart by themselves.
        moment = random.uniform(0, STAGGER) if self._started <= AT_ONCE else 0.0  # noqa: S311  (not a secret)
        self._running[pool.submit(_check_after, check, moment)] = _Run(check, time.monotonic())

    def _next_due(self) -> ConnectionCheck | None:
        """Take the first whose host may be asked now."""
        now = time.monotonic()
        for check in self._waiting:
            if self._spacing.wait(_host(check), now) <= 0:
                self._spacing.record_request(_host(check), now)
                self._waiting.remove(check)
                return check
        return None

    def _collect(self) -> None:
        pause = GLANCE if len(self._running) == AT_ONCE else min(GLANCE, self._until_next())
        if self._targets:
            pause = 0.0  # there is something else to do
        if not self._running:
            time.sleep(pause)
            return
        ended, _ = wait(self._running, timeout=pause, return_when=FIRST_COMPLETED)
        self._stop.check()  # of one that was stopped there is no result
        for future in ended:
            run = self._running.pop(future)
            try:
                checked = future.result()
            except Exception as error:
                facts = run.check.facts
                checked = replace(facts, error=unforeseen(error, facts.conn_id, "checked"))
            if run.check.client.cost.requests:
                self._spacing.record_outcome(_host(run.check), checked, run.started_at)
            self._done(checked)

    def _until_next(self) -> float:
        """Return the seconds until a host may be asked again; nothing waits for another reason."""
        now = time.monotonic()
        waits = (self._spacing.wait(_host(check), now) for check in self._waiting)
        return max(0.0, min(waits, default=GLANCE))

    def _done(self, checked: CheckResult) -> None:
        self.results[checked.conn_id] = checked
        self._on_done(checked)


@dataclass(frozen=True)
class _Run:
    check: ConnectionCheck
    started_at: float


def _host(check: ConnectionCheck) -> str:
    return str(check.facts.token_host)


def _check_after(check: ConnectionCheck, moment: float) -> CheckResult:
    time.sleep(moment)
    return check.check()
