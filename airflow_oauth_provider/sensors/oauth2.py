"""The sensor: wait until an API that is protected by OAuth 2.0 answers as expected."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import conf

from airflow_oauth_provider.connection.identifier import one_conn_id
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.call.http_methods import SAFE
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.tasks.arguments import header_names
from airflow_oauth_provider.tasks.deferrable_sensor import SensorOfBothModes
from airflow_oauth_provider.tasks.polling import Polling
from airflow_oauth_provider.transport.stopping import TaskStoppedError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from requests import Response

    from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger


class OAuth2HttpSensor(SensorOfBothModes):
    """Poll an API until it answers with a status below 400, and *response_check* holds.

    Takes the parameters of ``HttpSensor``. What passes (no answer, HTTP status 429 or 5xx, no token for
    the moment) counts as "not yet", up to *max_consecutive_failures* in a row; what does not (a refused
    client, a wrong configuration, other statuses) fails at once. The next poll waits as long as the server
    asked to (``Retry-After``). All this, ``soft_fail``, ``never_fail``, ``silent_fail``,
    ``exponential_backoff`` and ``max_wait`` mean deferred what they mean on the worker;
    ``tcp_keep_alive…`` hold on the worker only, since in the triggerer many tasks have their connections
    in common.

    :param oauth2_conn_id: Airflow connection id (templated).
    :param endpoint: relative to the base URL, or absolute within the allowed origins (templated).
    :param method: HTTP method.
    :param request_params: query parameters for GET, body otherwise (templated).
    :param request_kwargs: further arguments of ``requests.Request``, e.g. ``{"json": …}``.
    :param headers: of the calls (templated).
    :param response_error_codes_allowlist: HTTP statuses that mean "not yet"; 404 by default, ``[]`` for
        none. Of 401 each poll renews the token first, unless the connection's ``refresh_on_status`` names
        other statuses.
    :param response_check: a callable that is given the response, and of the context what it names; or a
        :class:`~airflow_oauth_provider.response_check.ResponseCheck`, which the triggerer can do too.
    :param extra_options: as of ``OAuth2Hook.run``; with ``{"check_response": False}`` every status goes
        to *response_check*.
    :param base_url: of the API, to poll several with one connection (templated).
    :param deferrable: poll in the triggerer (GET, HEAD and OPTIONS only); ``None`` for ``[operators]
        default_deferrable``, where the method allows it.
    :param max_consecutive_failures: see above; ``None`` for any number. With ``mode="reschedule"`` each
        poll is a process of its own, which cannot count: there it is any number.
    :param fail_fast: fail without the task's retries where repeating cannot help.
    :param response_headers: as of :class:`OAuth2HttpOperator`, for a callable check when deferred.
    :param max_event_body: likewise.
    :param http_conn_id: another name for *oauth2_conn_id*.
    """

    template_fields: Sequence[str] = ("endpoint", "request_params", "headers", "oauth2_conn_id", "base_url")

    def __init__(  # noqa: PLR0913  (HttpSensor's parameters and ours)
        self,
        *,
        endpoint: str,
        oauth2_conn_id: str | None = None,
        http_conn_id: str | None = None,
        method: str = "GET",
        request_params: dict[str, Any] | None = None,
        request_kwargs: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        response_error_codes_allowlist: Collection[int | str] | None = None,
        response_check: Callable[..., Any] | ResponseCheck | None = None,
        extra_options: dict[str, Any] | None = None,
        base_url: str | None = None,
        tcp_keep_alive: bool = True,
        tcp_keep_alive_idle: int = 120,
        tcp_keep_alive_count: int = 20,
        tcp_keep_alive_interval: int = 30,
        deferrable: bool | None = None,
        max_consecutive_failures: int | None = 10,
        fail_fast: bool = True,
        response_headers: str | Sequence[str] = (),
        max_event_body: int = 256 * 1024,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.oauth2_conn_id = one_conn_id(oauth2_conn_id, http_conn_id)
        self.endpoint = endpoint
        self.method = method
        self.request_params = request_params or {}
        self.request_kwargs = request_kwargs or {}
        self.headers = headers or {}
        self.response_error_codes_allowlist = (
            (404,) if response_error_codes_allowlist is None else tuple(response_error_codes_allowlist)
        )
        self.response_check = response_check
        self.extra_options = extra_options or {}
        self.base_url = base_url
        self.tcp_keep_alive = tcp_keep_alive
        self.tcp_keep_alive_idle = tcp_keep_alive_idle
        self.tcp_keep_alive_count = tcp_keep_alive_count
        self.tcp_keep_alive_interval = tcp_keep_alive_interval
        self.deferrable = self._may_defer(deferrable)
        self.max_consecutive_failures = max_consecutive_failures
        self.fail_fast = fail_fast
        self.response_headers = header_names(response_headers)
        self.max_event_body = max_event_body

    def _may_defer(self, wanted: bool | None) -> bool:
        if self.method.upper() in SAFE:
            unasked: bool = conf.getboolean("operators", "default_deferrable", fallback=False)
            return unasked if wanted is None else wanted
        if wanted:
            raise ConfigurationError(
                "only GET, HEAD and OPTIONS are polled by the triggerer, which may repeat a poll: leave "
                "deferrable out",
                field="deferrable",
                conn_id=self.oauth2_conn_id,
            )
        return False

    @cached_property
    def _polling(self) -> Polling:
        from airflow_oauth_provider.triggers.oauth2 import statuses

        each_alone = self.reschedule and not self.deferrable
        budget = None if each_alone else self.max_consecutive_failures
        return Polling(statuses(self.response_error_codes_allowlist), budget)

    def poke(self, context: Context) -> Any:
        """Poll once.

        :return: whether the answer is the expected one; what *response_check* returned.
        """
        with self._failing_fast():
            try:
                response = self._response()
            except TaskStoppedError:
                return False  # so that nothing is made of it but the end: the pause leaves
            except OAuthError as error:
                self._polling.failed(error)
                return False
            self._polling.answered()
            return self._checked(context, response)

    def execute(self, context: Context) -> Any:
        """Wait.

        :raises AirflowFailException: caused by the typed error, where *fail_fast* says so.
        """
        if self.deferrable:
            return self._wait(time.time())
        return super().execute(context)

    def execute_complete(
        self, context: Context, event: dict[str, Any], started_at: float | None = None, failures: int = 0
    ) -> Any:
        """Go on where the triggerer has ended.

        :param started_at: seconds since the epoch at which waiting began; ``None`` where Airflow does not
            keep it (``dag.test()`` of 3.0).
        :param failures: passing failures in a row so far, of polls that the worker had to make itself.
        """
        self._polling.failures = failures
        found = self._perhaps_silently(lambda: self._told(context, event))
        if found:
            self.log.info("%s answered as expected", self.endpoint)
            return getattr(found, "xcom_value", None)
        began = started_at or time.time()
        return self._wait(began, not_before=self._next_poll_at(began))

    def _told(self, context: Context, event: dict[str, Any]) -> Any:
        from airflow_oauth_provider.triggers.events import load_error, load_response

        with self._failing_fast():
            if event["status"] == "error":
                raise load_error(event["error"])
            if not self._needs_worker:
                return True
            response = load_response(event["response"])
            # A body that was too large for the event: the worker polls by itself.
            return self.poke(context) if response.content is None else self._checked(context, response)

    @property
    def _needs_worker(self) -> bool:
        """Whether the check is Python of the DAG's, which does not run in the triggerer."""
        return self.response_check is not None and ResponseCheck.of(self.response_check) is None

    def _wait(self, started_at: float, not_before: float | None = None) -> NoReturn:
        left = self.timeout - (time.time() - started_at)
        self.defer(
            trigger=self._trigger(started_at, not_before),
            method_name="execute_complete",
            kwargs={"started_at": started_at, "failures": self._polling.failures},
            timeout=timedelta(seconds=max(0.0, left)),
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
            not_before=not_before,
            poke_interval=self.poke_interval,
            response_error_codes_allowlist=self.response_error_codes_allowlist,
            response_check=ResponseCheck.of(self.response_check),
            max_consecutive_failures=self.max_consecutive_failures,
            backoff_since=started_at if self.exponential_backoff else None,
            max_wait=self._longest_pause,
            response_headers=self.response_headers,
            max_event_body=self.max_event_body if self._needs_worker else 0,
        )

    def _response(self) -> Response:
        return self.hook.run(
            self.endpoint, self.request_params, self.headers, self.extra_options, **self.request_kwargs
        )

    def _checked(self, context: Context, response: Response) -> Any:
        if self.response_check is None:
            return True
        declared = ResponseCheck.of(self.response_check)
        if declared is not None:
            return declared(response)
        from airflow.utils.operator_helpers import determine_kwargs

        function: Any = self.response_check
        return function(response, **determine_kwargs(function, [response], context))
