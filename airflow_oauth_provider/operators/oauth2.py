"""The operators: Airflow's HTTP operator with an OAuth 2.0 connection, and the check of authorizations.

Deferred, the first lets the triggerer make the first call of an idempotent method (RFC 9110 §9.2.2) and
wait between repetitions of any. A call that is not idempotent is made by the worker: a triggerer that is
started again would make it twice. What is Python of the DAG's (checks, filters, pages) runs on the
worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.http.operators.http import HttpOperator

from airflow_oauth_provider.connection.identifier import one_conn_id, require_no_auth_type
from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.operators.authorization_check import OAuth2AuthorizationCheckOperator
from airflow_oauth_provider.protocol.call.http_methods import IDEMPOTENT, SAFE
from airflow_oauth_provider.tasks.arguments import header_names
from airflow_oauth_provider.tasks.attempts import Again, Tries, judge, unless_futile
from airflow_oauth_provider.tasks.calling_task import CallingTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from requests import Response

    from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger

__all__ = ["OAuth2AuthorizationCheckOperator", "OAuth2HttpOperator"]


class OAuth2HttpOperator(CallingTask, HttpOperator):
    """Call an API that is protected by OAuth 2.0.

    All parameters of ``HttpOperator`` but ``auth_type`` hold (``tcp_keep_alive…`` on the worker only: in
    the triggerer many tasks have their connections in common), and:

    :param oauth2_conn_id: Airflow connection id (templated).
    :param json: body, sent as JSON (templated).
    :param base_url: of the API, to call several with one connection (templated).
    :param deferrable: leave the worker while waiting for the API; defaults to ``[operators]
        default_deferrable``.
    :param response_headers: headers of the answer that checks and filters need when deferred, beside
        the usual harmless ones; one, or several.
    :param max_event_body: bytes of the largest body that passes through Airflow's metadata database
        when deferred; a larger one is fetched again by the worker.
    :param response_filter: as of ``HttpOperator``; secrets and tokens of the connection are taken out of
        what it returns, however deep in texts, bytes, numbers, lists, tuples, sets and mappings. Other
        objects (a data frame) pass as they are: of those, choose what may go to XCom.
    :param fail_fast: fail at once, without the task's retries and those of ``retry_args``, where repeating
        cannot help: a wrong configuration, a refused client, an API answer of 401 or 403.
    :param http_conn_id: another name for *oauth2_conn_id*.
    """

    conn_id_field = "oauth2_conn_id"
    template_fields: Sequence[str] = (
        "endpoint",
        "data",
        "json",
        "headers",
        "oauth2_conn_id",
        "base_url",
    )
    template_fields_renderers = {"headers": "json", "data": "py", "json": "json"}  # noqa: RUF012  (as the base has it)
    retry_args: dict[str, Any] | None
    request_kwargs: dict[str, Any]

    def __init__(
        self,
        *,
        oauth2_conn_id: str | None = None,
        http_conn_id: str | None = None,
        json: Any = None,
        base_url: str | None = None,
        fail_fast: bool = True,
        response_headers: str | Sequence[str] = (),
        max_event_body: int = 256 * 1024,
        **kwargs: Any,
    ) -> None:
        conn_id = one_conn_id(oauth2_conn_id, http_conn_id)
        require_no_auth_type(kwargs.pop("auth_type", None), conn_id)
        super().__init__(http_conn_id=conn_id, **kwargs)
        self.retry_args = unless_futile(self.retry_args, fail_fast=fail_fast)
        self.response_headers = header_names(response_headers)
        self.max_event_body = max_event_body
        self.oauth2_conn_id = conn_id
        self.json = json
        self.base_url = base_url
        self.fail_fast = fail_fast

    def execute(self, context: Context) -> Any:
        """Make the call, page by page where there is a ``pagination_function``.

        :raises AirflowFailException: caused by the typed error, where *fail_fast* says so.
        :raises OAuthError: otherwise.
        """
        self._add_json()
        with self._failing_fast():
            if self.deferrable:
                return self._attempt(context, Tries.first())
            return self._without_secrets(self.execute_sync(context))

    def execute_complete(
        self, context: Context, event: dict[str, Any], tries: dict[str, Any] | None = None
    ) -> Any:
        """Go on where the triggerer has ended.

        :param event: of our triggers.
        :param tries: the attempts so far.
        :raises AirflowFailException: as :meth:`execute` does; likewise the others.
        """
        from airflow_oauth_provider.triggers.events import load_error, load_response

        made = Tries(**tries) if tries else Tries.first()
        self._add_json()
        with self._failing_fast():
            if event["status"] == "waited":
                return self._attempt(context, made)
            if event["status"] == "error":
                return self._judged(context, load_error(event["error"]), made)
            response = load_response(event["response"])
            outcome = self._fetched_again(response) if response.content is None else response
            return self._judged(context, outcome, made)

    def _add_json(self) -> None:
        """Put the body among the arguments: rendered by now, and in a dict that nobody else holds."""
        if self.json is not None:
            self.request_kwargs = {**self.request_kwargs, "json": self.json}

    def _attempt(self, context: Context, tries: Tries, not_before: float | None = None) -> Any:
        """Make one attempt: in the triggerer where it may be made twice, else here."""
        if self.method.upper() in IDEMPOTENT:
            self.defer(
                trigger=self._trigger(not_before),
                method_name="execute_complete",
                kwargs={"tries": tries.state()},
                timeout=tries.left_of(self.execution_timeout),
            )
        self.log.info("%s is not idempotent (RFC 9110 §9.2.2): the worker makes this call", self.method)
        return self._judged(context, self._called(), tries)

    def _judged(self, context: Context, outcome: Any, tries: Tries) -> Any:
        verdict = judge(outcome, tries, self.retry_args)
        if not isinstance(verdict, Again):
            response = self.paginate_sync(response=verdict)
            return self._without_secrets(self.process_response(context=context, response=response))
        if self.method.upper() in IDEMPOTENT:
            return self._attempt(context, verdict.tries, verdict.at)
        from airflow_oauth_provider.triggers.oauth2 import WaitTrigger

        self.defer(
            trigger=WaitTrigger(verdict.at),
            method_name="execute_complete",
            kwargs={"tries": verdict.tries.state()},
            timeout=verdict.tries.left_of(self.execution_timeout),
        )
        return None

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
            not_before=not_before,
            response_headers=self.response_headers,
            max_event_body=self.max_event_body,
        )

    def _called(self) -> Response | Exception:
        try:
            return self.hook.run(
                self.endpoint, self.data, self.headers, self.extra_options, **self.request_kwargs
            )
        except Exception as error:  # tenacity decides of which to repeat
            return error

    def _fetched_again(self, response: Response) -> Response | Exception:
        if self.method.upper() not in SAFE:
            raise ResourceError(
                f"the answer to {self.method} (HTTP status {response.status_code}) is larger than "
                f"max_event_body ({self.max_event_body} bytes): raise it, or set deferrable=False",
                status=response.status_code,
                conn_id=self.oauth2_conn_id,
            )
        self.log.info(
            "The answer is larger than max_event_body (%d bytes): the worker fetches it", self.max_event_body
        )
        return self._called()

    def _without_secrets(self, result: Any) -> Any:
        """Keep an API that echoes its request from putting the token into XCom."""
        return self.hook.redactor.value(result)
