"""The sensor: wait until an API that is protected by OAuth 2.0 answers as expected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_oauth_provider.connection.identifier import one_conn_id
from airflow_oauth_provider.protocol.call.http_methods import SAFE
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.polling_sensor import PollingSensor
from airflow_oauth_provider.tasks.arguments import Arguments, header_names, http_statuses
from airflow_oauth_provider.tasks.token_arguments import TOKEN_ARGUMENTS, Texts

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_oauth_provider.tasks.parameters import SensorParameters


class OAuth2HttpSensor(PollingSensor):
    """Poll an API until it answers with a status below 400, and *response_check* holds.

    Takes the parameters of ``HttpSensor``. A temporary failure (no response, HTTP status 429 or 5xx, no
    token for the moment) counts as "not yet", up to *max_consecutive_failures* in a row; a permanent one
    (a refused client, a wrong configuration, other statuses) fails the task at once. The next poll waits
    as long as the server asked to (``Retry-After``), an hour at the most. All this, ``soft_fail``,
    ``never_fail``, ``silent_fail``, ``exponential_backoff`` and ``max_wait`` mean deferred what they mean
    on the worker; ``tcp_keep_alive…`` hold on the worker only, since in the triggerer many tasks share
    their connections.

    The log has a line for the first poll, for each change, and else about every ten minutes; the error at
    the end of the time names what the last poll saw.

    Arguments that cannot be meant are refused when the sensor is made, templated ones when Airflow has
    rendered them.

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
    :param scope: asked for instead of the connection's, space-delimited or a list; *audience*, *resource*
        and *tenant* likewise (all templated). See ``OAuth2Hook``.
    :param poke_interval: between two polls: seconds, or a ``timedelta``.
    :param timeout: of all polls together, likewise; ``None`` for ``[sensors] default_timeout``.
    :param max_wait: of a pause that grows, at the most, likewise; ``None`` for any.
    :param deferrable: poll in the triggerer (GET, HEAD and OPTIONS only); ``None`` for ``[operators]
        default_deferrable``, where the method allows it.
    :param max_consecutive_failures: see above; ``None`` for any number. With ``mode="reschedule"`` each
        poll is a process of its own, which cannot count: there it is any number.
    :param fail_fast: fail without the task's retries where repeating cannot help.
    :param response_headers: as of :class:`OAuth2HttpOperator`, for a callable check when deferred.
    :param max_event_body: likewise.
    :param http_conn_id: another name for *oauth2_conn_id*.
    :param kwargs: of Airflow's ``BaseSensorOperator``.
    :raises ConfigurationError: when an argument cannot be meant; it names the argument.
    """

    template_fields: Sequence[str] = (
        "endpoint",
        "request_params",
        "headers",
        "oauth2_conn_id",
        "base_url",
        *TOKEN_ARGUMENTS,
    )

    def __init__(  # noqa: PLR0913  (HttpSensor's parameters and ours)
        self,
        *,
        endpoint: str,
        oauth2_conn_id: str | None = None,
        method: str = "GET",
        request_params: dict[str, Any] | str | None = None,
        request_kwargs: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        response_error_codes_allowlist: Collection[int | str] | None = None,
        response_check: Callable[..., Any] | ResponseCheck | Mapping[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        base_url: str | None = None,
        scope: Texts | None = None,
        audience: str | None = None,
        resource: Texts | None = None,
        tenant: str | None = None,
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float | None = None,
        max_wait: timedelta | float | None = None,
        deferrable: bool | None = None,
        max_consecutive_failures: int | None = 10,
        fail_fast: bool = True,
        response_headers: str | Sequence[str] = (),
        max_event_body: int = 256 * 1024,
        tcp_keep_alive: bool = True,
        tcp_keep_alive_idle: int = 120,
        tcp_keep_alive_count: int = 20,
        tcp_keep_alive_interval: int = 30,
        http_conn_id: str | None = None,
        **kwargs: Unpack[SensorParameters],
    ) -> None:
        conn_id = one_conn_id(oauth2_conn_id, http_conn_id)
        for name, value in (("poke_interval", poke_interval), ("timeout", timeout), ("max_wait", max_wait)):
            if value is not None or name == "poke_interval":
                Arguments(conn_id).seconds(name, value)
        # Before 3.3 Airflow knows no None there.
        seconds = conf.getfloat("sensors", "default_timeout") if timeout is None else timeout
        super().__init__(poke_interval=poke_interval, timeout=seconds, max_wait=max_wait, **kwargs)
        self.oauth2_conn_id = conn_id
        self.endpoint = endpoint
        self.method = method
        self.request_params = request_params or {}
        self.request_kwargs = request_kwargs or {}
        self.headers = headers or {}
        self.response_check: Any = ResponseCheck.of(response_check) or response_check
        self.extra_options = extra_options or {}
        self.base_url = base_url
        self.choose_token(scope, audience, resource, tenant)
        self.tcp_keep_alive = tcp_keep_alive
        self.tcp_keep_alive_idle = tcp_keep_alive_idle
        self.tcp_keep_alive_count = tcp_keep_alive_count
        self.tcp_keep_alive_interval = tcp_keep_alive_interval
        self.deferrable = self._default_deferrable() if deferrable is None else deferrable
        self.max_consecutive_failures = max_consecutive_failures
        self.fail_fast = fail_fast
        self.max_event_body = max_event_body
        self._check_arguments()
        self.response_headers = header_names(response_headers, conn_id)
        allowlist = (404,) if response_error_codes_allowlist is None else response_error_codes_allowlist
        self.response_error_codes_allowlist = tuple(sorted(http_statuses(allowlist, conn_id)))

    def _default_deferrable(self) -> bool:
        unasked: bool = conf.getboolean("operators", "default_deferrable", fallback=False)
        return unasked and str(self.method).upper() in SAFE

    def _check_arguments(self) -> None:
        """Check those that are no templates."""
        arguments = self._check_call_arguments()
        arguments.body(self.method, data=self.request_params, json=None, request_kwargs=self.request_kwargs)
        arguments.function("response_check", self.response_check)
        arguments.whole_number("max_event_body", self.max_event_body, least=0)
        if self.max_consecutive_failures is not None:
            arguments.whole_number("max_consecutive_failures", self.max_consecutive_failures, least=1)
        if self.deferrable and self.method.upper() not in SAFE:
            arguments.refuse(
                "deferrable",
                "only GET, HEAD and OPTIONS are polled by the triggerer, which may repeat a poll: leave "
                "deferrable out",
            )
