"""What the HTTP operator does: one call, page by page, on the worker or with the triggerer's help.

Deferred, the triggerer makes the first call of an idempotent method (RFC 9110 §9.2.2) and waits between
repetitions of any. The worker makes a call that is not idempotent: a triggerer that is started again would
make it twice. Python of the DAG's (checks, filters, pages) runs on the worker.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.http.operators.http import HttpOperator

from airflow_oauth_provider.calls.foreign_errors import called, without_secrets
from airflow_oauth_provider.calls.options import WAIT, unwaiting
from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.excerpts import url_excerpt
from airflow_oauth_provider.protocol.call.http_methods import IDEMPOTENT, SAFE
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.tasks.arguments import Arguments
from airflow_oauth_provider.tasks.attempts import Attempts, NextAttempt, decide
from airflow_oauth_provider.tasks.callables import call_with_context
from airflow_oauth_provider.tasks.calling_task import CallingTask
from airflow_oauth_provider.tasks.kept_state import keep, kept_state
from airflow_oauth_provider.tasks.pages import PageLog, next_call
from airflow_oauth_provider.tasks.polling import one_line

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger
    from requests import Response

    from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger, WaitTrigger


LONGEST_WAIT = 600.0
"""Seconds from its first attempt for which a call waits, without a worker, until its API may be called."""


class DeferrableCall(CallingTask, HttpOperator):
    """What the public operator does; that adds the parameters."""

    data: Any
    headers: dict[str, str]
    json: Any
    pagination_function: Callable[..., Any] | None
    request_kwargs: dict[str, Any]
    response_check: Callable[..., Any] | None
    response_filter: Callable[..., Any] | None
    response_headers: Sequence[str]
    log_response: bool
    max_event_body: int
    retry_args: dict[str, Any] | None

    def execute(self, context: Context) -> Any:
        """Make the call, page by page where there is a ``pagination_function``.

        :raises AirflowFailException: caused by the typed error, where *fail_fast* says so.
        :raises OAuthError: otherwise.
        """
        with self._failing_fast():
            self._check_rendered()
            self._add_json()
            if self.deferrable:
                return self._attempt(context, Attempts.first())
            return self._without_secrets(self.execute_sync(context))

    def execute_complete(
        self, context: Context, event: Any = None, attempts: Any = None, **unknown: Any
    ) -> Any:
        """Go on where the triggerer has ended.

        :param event: of our triggers.
        :param attempts: made so far; ``None`` where Airflow does not keep them (``dag.test()``).
        :param unknown: what a newer version has kept.
        :raises AirflowFailException: as :meth:`execute` does; likewise the others.
        """
        from airflow_oauth_provider.triggers.events import read_event, read_state

        with self._failing_fast():
            attempts = kept_state(context, attempts)
            with read_state("state", self.oauth2_conn_id):
                made = Attempts.first() if attempts is None else Attempts.of(attempts)
                if unknown:
                    raise ValueError("there is more than this version knows")
            report = read_event(event, "success", "error", "waited", conn_id=self.oauth2_conn_id)
            self._add_json()
            if report.status == "waited":
                return self._attempt(context, made)
            outcome = report.error if report.response is None else report.response
            if report.response is not None and report.response.content is None:
                outcome = self._fetched_again(report.response)
            return self._concluded(context, outcome, made)

    def execute_sync(self, context: Context) -> Any:
        """Make the call on the worker, page by page."""
        response = self._run(**self._first_call())
        return self.process_response(context=context, response=self.paginate_sync(response=response))

    def paginate_sync(self, response: Response) -> Response | list[Response]:
        """Call for the further pages, on the worker, and log each page."""
        if self.pagination_function is None:
            return response
        pages, page_log = [response], PageLog()
        page_log.add(response)
        while call := called(
            self._next_call, response, redactor=self.hook.redactor, name="pagination_function"
        ):
            response = self._run(**call)
            pages.append(response)
            page_log.add(response)
        return pages

    def _first_call(self) -> dict[str, Any]:
        return {
            "endpoint": self.endpoint,
            "data": self.data,
            "headers": self.headers,
            "extra_options": self.extra_options,
        }

    def _next_call(self, response: Response) -> dict[str, Any] | None:
        """Return the call of the next page, with what the DAG's function returns read to the end."""
        page = self.pagination_function(response) if self.pagination_function else None
        if not page:
            return None
        Arguments(self.oauth2_conn_id).page(page)
        return next_call(self._first_call(), page)

    def process_response(self, context: Context, response: Response | list[Response]) -> Any:
        """Check the response, or the pages, and make the task's result of it.

        :raises ResourceError: when *response_check* does not hold.
        """
        if self.log_response:
            self.log.info("%s", self._without_secrets(_text_of(response)))
        if self.response_check is not None:
            self._require(self.response_check, context, response)
        if self.response_filter is None:
            return _text_of(response)
        redactor = self.hook.redactor
        return call_with_context(
            self.response_filter, response, context, redactor=redactor, name="response_filter"
        )

    def _require(
        self, check: Callable[..., Any], context: Context, response: Response | list[Response]
    ) -> None:
        if isinstance(check, ResponseCheck) and not isinstance(response, list):
            inspection = check.inspect(response)
            if not inspection.has_failed and inspection.holds:
                return
            message = f"response_check: {one_line(self.hook.redact(inspection.mismatch()))}"
        elif call_with_context(
            check, response, context, redactor=self.hook.redactor, name="response_check", read=bool
        ):
            return
        else:
            message = "Response check returned False."
        last = response[-1] if isinstance(response, list) else response
        url = url_excerpt(last.url, self.hook.redactor)
        raise ResourceError(
            f"{self.method} {url}: {message}",
            status=last.status_code,
            method=self.method,
            url=url,
            conn_id=self.oauth2_conn_id,
        )

    def _check_rendered(self) -> None:
        """Check what templates have been rendered to."""
        arguments = self._check_rendered_call()
        arguments.headers(self.headers)
        arguments.body(self.method, data=self.data, json=self.json, request_kwargs=self.request_kwargs)

    def _add_json(self) -> None:
        """Put the body among the arguments: rendered by now, and in a dict that nobody else holds."""
        if self.json is not None:
            self.request_kwargs = {**self.request_kwargs, "json": self.json}

    def _attempt(self, context: Context, attempts: Attempts, not_before: float | None = None) -> Any:
        """Make one attempt: in the triggerer where it may be made twice, else here."""
        if self.method.upper() in IDEMPOTENT:
            self._leave(context, self._trigger(not_before), attempts)
        self.log.info("%s is not idempotent (RFC 9110 §9.2.2): the worker makes this call", self.method)
        outcome = self._outcome(unwaiting(self.extra_options))
        if isinstance(outcome, ResourceError) and not outcome.sent and self._may_wait(attempts):
            at = time.time() + (outcome.retry_after or 0.0) + random.random()  # noqa: S311  (nothing secret)
            self._leave(context, self._pause(at), attempts)
        return self._concluded(context, outcome, attempts)

    def _may_wait(self, attempts: Attempts) -> bool:
        """Whether a call that was not sent waits for the end of the API's cool-down, without the worker."""
        options = self.extra_options or {}
        longest = options.get("total_timeout") or LONGEST_WAIT
        return options.get("cool_down") in {None, WAIT} and time.time() - attempts.started_at < longest

    def _concluded(self, context: Context, outcome: Any, attempts: Attempts) -> Any:
        """Make the result of an attempt's outcome, or another attempt."""
        decision = self._decided(outcome, attempts)
        if not isinstance(decision, NextAttempt):
            response = self.paginate_sync(response=decision)
            return self._without_secrets(self.process_response(context=context, response=response))
        if self.method.upper() in IDEMPOTENT:
            return self._attempt(context, decision.attempts, decision.at)
        self._leave(context, self._pause(decision.at), decision.attempts)
        return None

    def _pause(self, at: float) -> WaitTrigger:
        """Return what ends then, for the attempt that comes next."""
        from airflow_oauth_provider.triggers.oauth2 import WaitTrigger

        return WaitTrigger(at)

    def _leave(self, context: Context, trigger: BaseTrigger, attempts: Attempts) -> None:
        """Leave the worker until the trigger ends."""
        keep(context, attempts.state())
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"attempts": attempts.state()},
            timeout=attempts.left_of(self.execution_timeout),
        )

    def _trigger(self, not_before: float | None) -> OAuth2HttpTrigger:
        from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger

        return OAuth2HttpTrigger(
            self.oauth2_conn_id,
            endpoint=self.endpoint,
            method=self.method,
            data=self.data,
            headers=self.headers,
            extra_options=self.extra_options,
            request_kwargs=self.request_kwargs,
            base_url=self.base_url,
            **self.token_arguments,
            not_before=not_before,
            response_headers=self.response_headers,
            max_event_body=self.max_event_body,
        )

    def _run(self, **call: Any) -> Response:
        """Make a call on the worker, with the repetitions of *retry_args*."""
        if self.retry_args:
            repeated: Response = self.hook.run_with_advanced_retry(
                self.retry_args, **call, **self.request_kwargs
            )
            return repeated
        return self.hook.run(**call, **self.request_kwargs)

    def _decided(self, outcome: Any, attempts: Attempts) -> Any:
        """Decide what follows; errors of functions of *retry_args* are passed on without secrets."""
        try:
            return decide(outcome, attempts, self.retry_args)
        except BaseException as error:
            # The tokens that the calls have carried are known only now.
            raised = without_secrets(error, self.hook.redactor, "retry_args")
            if raised is error:
                raise
        raise raised

    def _outcome(self, extra_options: dict[str, Any] | None = None) -> Response | Exception:
        """Return what comes of the first call.

        :param extra_options: in place of the task's.
        """
        call = self._first_call()
        if extra_options is not None:
            call["extra_options"] = extra_options
        try:
            return self.hook.run(**call, **self.request_kwargs)
        except Exception as error:  # tenacity decides of which to repeat
            return error

    def _fetched_again(self, response: Response) -> Response | Exception:
        if self.method.upper() not in SAFE:
            raise ResourceError(
                f"the response to {self.method} (HTTP status {response.status_code}) is larger than "
                f"max_event_body ({self.max_event_body} bytes): raise it, or set deferrable=False",
                status=response.status_code,
                conn_id=self.oauth2_conn_id,
            )
        self.log.info(
            "The response is larger than max_event_body (%d bytes): the worker fetches it",
            self.max_event_body,
        )
        return self._outcome()

    def _without_secrets(self, result: Any) -> Any:
        """Keep an API that echoes its request from putting the token into XCom."""
        return self.hook.redactor.value(result)


def _text_of(response: Response | list[Response]) -> Any:
    return [page.text for page in response] if isinstance(response, list) else response.text
