"""What Airflow's sensor loop does on the worker, done deferred as well: one meaning of each option."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
)

from airflow_oauth_provider.calls.foreign_errors import shown_traceback
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.tasks.calling_task import CallingTask
from airflow_oauth_provider.tasks.polling import Polling, asked_to_wait, pause_between
from airflow_oauth_provider.transport.stopping import TaskStoppedError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

FINAL = (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException)
"""Errors that ``silent_fail`` does not silence, and that ``soft_fail`` makes a skipped task of."""
GRACE = 60.0
"""Seconds that Airflow gives the triggerer after the end of the sensor's time.

The trigger ends by itself, and its event says what it saw last. Airflow's own time limit of a deferral
says nothing; it is left for a triggerer that has died.
"""


class DeferrableSensor(CallingTask, BaseSensorOperator):
    """A sensor that polls on the worker or in the triggerer.

    Airflow's own deferral differs from its loop: ``soft_fail`` skips more, ``silent_fail`` and
    ``exponential_backoff`` do nothing. Here the loop is followed.
    """

    _check_skipped = False

    @property
    @abstractmethod
    def _polling(self) -> Polling:
        """The polls made so far."""

    def execute(self, context: Context) -> Any:
        """Wait on the worker.

        :raises AirflowSensorTimeout: at the end of the time; it names what the last poll saw.
        :raises AirflowSkipException: with ``never_fail`` also when the time is over, which Airflow's
            loop forgets.
        """
        try:
            return super().execute(context)
        except AirflowSkipException as skip:
            if self._check_skipped or skip.__cause__ is not None:
                raise
            # The end of the time, with soft_fail.
            raise AirflowSkipException(self._with_last_seen(str(skip))) from None
        except FINAL as error:
            if not isinstance(error, AirflowSensorTimeout):
                self._skip_for(error)
                raise
            timeout = AirflowSensorTimeout(self._with_last_seen(str(error)))
        self._skip_for(timeout)
        raise timeout

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral.

        :raises AirflowSkipException: for errors of which ``soft_fail`` or ``never_fail`` makes a skipped
            task on the worker.
        """
        try:
            if next_method == "execute_complete":
                return self.execute_complete(context, **(next_kwargs or {}))
            return self._failed_by_airflow(next_method, next_kwargs, context)
        except AirflowSkipException:
            raise
        except (Exception, AirflowTaskTimeout) as error:
            self._skip_for(error)
            raise

    def _failed_by_airflow(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(
                f"{error}: the triggerer has reported nothing, not even {GRACE:g} s after the end of the "
                "sensor's time; its log says what it saw last"
            ) from None

    @abstractmethod
    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """Go on where the triggerer has ended."""

    @property
    @abstractmethod
    def _expected(self) -> str:
        """What is waited for, for people; empty where only Python of the DAG knows."""

    def _with_last_seen(self, text: str) -> str:
        expected = f"; expected: {self._expected}" if self._expected else ""
        return f"{text.rstrip('.')}. Last seen: {self._polling.last_seen}{expected}"

    def _skip_for(self, error: BaseException) -> None:
        if isinstance(error, TaskStoppedError):
            return
        # All that the log gets of a skipped task; the text of foreign errors may hold anything.
        reason = str(error) if isinstance(error, (OAuthError, *FINAL)) else type(error).__name__
        if self.soft_fail and isinstance(error, FINAL):
            raise AirflowSkipException(f"Skipping due to soft_fail is set to True: {reason}") from error
        if self.never_fail:
            raise AirflowSkipException(f"Skipping due to never_fail is set to True: {reason}") from error

    def _perhaps_silently(self, poll: Callable[[], Any]) -> Any:
        """Poll; an error is a "not yet" where ``silent_fail`` says so."""
        try:
            return poll()
        except (*FINAL, AirflowSkipException):
            raise
        except Exception as error:
            if not self.silent_fail:
                raise
            self.log.error("Sensor poke failed:\n%s", shown_traceback(error, self.hook.redactor))  # noqa: TRY400
            self._polling.retry_after = asked_to_wait(error)
            return False

    def _get_next_poke_interval(self, started_at: Any, run_duration: Any, poke_count: int) -> float:
        """Wait here instead of in Airflow's loop, which a kill does not end.

        What the server asked for counts, but not beyond the end of the sensor's time: it would hold the
        worker for nothing.

        :raises TaskStoppedError: soon after a kill.
        """
        self._stop.check()
        interval: float = super()._get_next_poke_interval(started_at, run_duration, poke_count)
        interval = max(interval, min(self._polling.retry_after, self.timeout - run_duration()))
        self._polling.pausing(interval)
        if self.reschedule:
            return interval
        self._stop.sleep(interval)
        return 0.0

    def _next_poll_at(self, started_at: float) -> float:
        """Return when to poll again, deferred; seconds since the epoch.

        :raises TaskStoppedError: after a kill.
        """
        self._stop.check()
        now = time.time()
        waited = now - started_at if self.exponential_backoff else None
        pause = pause_between(self.poke_interval, waited=waited, longest=self._longest_pause)
        pause = max(pause, self._polling.retry_after)
        self._polling.pausing(pause)
        return now + pause

    @property
    def _longest_pause(self) -> float | None:
        return self.max_wait.total_seconds() if self.max_wait else None
