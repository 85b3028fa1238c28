"""What the sensor does: poll on the worker, or let the triggerer poll.

Python of the DAG's (a callable check) runs on the worker, to which the triggerer then brings each response.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

from airflow_oauth_provider.calls.options import unwaiting
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.call.excerpts import url_excerpt
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.tasks.attempts import MOST
from airflow_oauth_provider.tasks.callables import call_with_context, truth_of
from airflow_oauth_provider.tasks.deferrable_sensor import GRACE, DeferrableSensor
from airflow_oauth_provider.tasks.kept_state import keep, kept_state
from airflow_oauth_provider.tasks.polling import Polling, Progress
from airflow_oauth_provider.transport.stopping import TaskStoppedError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from requests import Response

    from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger


class PollingSensor(DeferrableSensor):
    """What the public sensor does; that adds the parameters."""

    headers: dict[str, str]
    max_consecutive_failures: int | None
    max_event_body: int
    request_kwargs: dict[str, Any]
    request_params: Any
    response_check: Any
    response_error_codes_allowlist: Sequence[int]
    response_headers: Sequence[str]

    def _check_rendered(self) -> None:
        """Check what templates have been rendered to."""
        self._check_rendered_call().headers(self.headers)

    @cached_property
    def _polling(self) -> Polling:
        # Rescheduled, each poll is a process of its own, which counts nothing.
        counted = self.deferrable or not self.reschedule
        return Polling(
            self.response_error_codes_allowlist,
            self.max_consecutive_failures if counted else None,
            progress=Progress() if counted else None,
        )

    def poke(self, context: Context) -> Any:
        """Poll once.

        :return: whether the response is the expected one; what *response_check* returned.
        """
        with self._failing_fast():
            self._check_rendered()
            try:
                response = self._response()
            except TaskStoppedError:
                return False  # so that nothing is made of it but the end: the pause leaves
            except OAuthError as error:
                self._polling.failed(error)
                return False
            return self._checked(context, response)

    def _response(self) -> Response:
        from airflow_oauth_provider.calls.call_log import logged_by_caller

        options = unwaiting(self.extra_options)  # the pause between two polls is long enough
        with logged_by_caller():
            return self.hook.run(
                self.endpoint, self.request_params, self.headers, options, **self.request_kwargs
            )

    def execute(self, context: Context) -> Any:
        """Wait.

        :raises AirflowFailException: caused by the typed error, where *fail_fast* says so.
        :raises AirflowSensorTimeout: at the end of the time; it names what the last poll saw.
        """
        if not self.deferrable:
            return super().execute(context)
        with self._failing_fast():
            self._check_rendered()
            return self._wait(context, time.time())

    def execute_complete(
        self, context: Context, event: Any = None, started_at: Any = None, **unknown: Any
    ) -> Any:
        """Go on where the triggerer has ended.

        :param started_at: seconds since the epoch at which waiting began; ``None`` where Airflow does not
            keep it (``dag.test()``).
        :param unknown: what a newer version has kept.
        :raises AirflowSensorTimeout: at the end of the time; it names what the last poll saw.
        """
        from airflow_oauth_provider.triggers.events import read_state

        started_at = kept_state(context, started_at)
        began = time.time() if started_at is None else started_at
        with read_state("state", self.oauth2_conn_id):
            if unknown or isinstance(began, bool) or not 0 <= began <= MOST:
                raise ValueError("it is another version's")
        result = self._perhaps_silently(lambda: self._reported(context, event))
        if result:
            address = url_excerpt(self.endpoint or "", self.hook.redactor)
            self.log.info("%s answered as expected", address)
            return getattr(result, "xcom_value", None)
        return self._wait(context, began, not_before=self._next_poll_at(began))

    def _reported(self, context: Context, event: Any) -> Any:
        """Return the result of the triggerer's last poll."""
        from airflow_oauth_provider.triggers.events import read_event, read_state

        with self._failing_fast():
            report = read_event(event, "success", "error", "timeout", conn_id=self.oauth2_conn_id)
            with read_state("event", self.oauth2_conn_id):
                self._polling.progress = Progress.of(report.progress)
            if report.status == "timeout":
                raise AirflowSensorTimeout(self._with_last_seen(f"Timed out after {self.timeout:g} s"))
            if report.error is not None:
                raise report.error
            if not self._needs_worker or report.response is None:
                return True
            # A body that was too large for the event: the worker polls by itself.
            large = report.response.content is None
            return self.poke(context) if large else self._checked(context, report.response)

    @property
    def _expected(self) -> str:
        return str(self.response_check) if isinstance(self.response_check, ResponseCheck) else ""

    @property
    def _needs_worker(self) -> bool:
        """Whether the check is Python of the DAG's, which does not run in the triggerer."""
        return self.response_check is not None and not isinstance(self.response_check, ResponseCheck)

    def _wait(self, context: Context, started_at: float, not_before: float | None = None) -> NoReturn:
        ends_at = started_at + self.timeout
        keep(context, started_at)
        self.defer(
            trigger=self._trigger(started_at, not_before),
            method_name="execute_complete",
            kwargs={"started_at": started_at},
            timeout=timedelta(seconds=max(0.0, ends_at - time.time()) + GRACE),
        )
        raise AssertionError("defer() raises")

    def _trigger(self, started_at: float, not_before: float | None) -> OAuth2HttpSensorTrigger:
        from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger

        return OAuth2HttpSensorTrigger(
            self.oauth2_conn_id,
            endpoint=self.endpoint,
            method=self.method,
            data=self.request_params,
            headers=self.headers,
            extra_options=self.extra_options,
            request_kwargs=self.request_kwargs,
            base_url=self.base_url,
            **self.token_arguments,
            not_before=not_before,
            ends_at=started_at + self.timeout,
            poke_interval=self.poke_interval,
            response_error_codes_allowlist=self.response_error_codes_allowlist,
            response_check=self.response_check if isinstance(self.response_check, ResponseCheck) else None,
            max_consecutive_failures=self.max_consecutive_failures,
            backoff_since=started_at if self.exponential_backoff else None,
            max_wait=self._longest_pause,
            progress=self._polling.progress.state(),
            response_headers=self.response_headers,
            max_event_body=self.max_event_body if self._needs_worker else 0,
        )

    def _checked(self, context: Context, response: Response) -> Any:
        """Note a poll that brought a response.

        :return: what *response_check* returned.
        """
        status = response.status_code
        if self.response_check is None:
            return self._polling.responded(str(status), over=True)
        if isinstance(self.response_check, ResponseCheck):
            inspection = self.response_check.inspect(response)
            if inspection.lacks_path:
                self._warn_once(context)
            return self._polling.inspected(inspection, self.hook.redact)
        try:
            result = call_with_context(
                self.response_check,
                response,
                context,
                redactor=self.hook.redactor,
                name="response_check",
                read=truth_of,
            )
        except Exception as error:
            self._check_skipped = isinstance(error, AirflowSkipException)
            self._polling.responded(f"{status}, response_check raised {type(error).__name__}", over=False)
            raise
        self._polling.responded(f"{status}, response_check returned {bool(result)}", over=bool(result))
        return self._without_secrets(result)

    def _without_secrets(self, result: Any) -> Any:
        """Keep an API that echoes its request from putting the token into XCom."""
        if getattr(result, "xcom_value", None) is None:
            return result
        redacted = copy.copy(result)  # Airflow's PokeReturnValue
        redacted.xcom_value = self.hook.redactor.value(result.xcom_value)
        return redacted

    def _warn_once(self, context: Context) -> None:
        """Leave out the warning of a missing path where a process before this one has given it."""
        if self.reschedule and context["ti"].get_first_reschedule_date(context) is not None:
            self._polling.progress.warned = True
