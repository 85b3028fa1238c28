"""The operators: Airflow's HTTP operator with an OAuth 2.0 connection, and the check of authorizations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_oauth_provider.connection.identifier import one_conn_id, require_no_auth_type
from airflow_oauth_provider.operators.authorization_check import OAuth2AuthorizationCheckOperator
from airflow_oauth_provider.operators.deferrable_call import DeferrableCall
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.tasks.arguments import Arguments, header_names
from airflow_oauth_provider.tasks.attempts import with_retry_condition
from airflow_oauth_provider.tasks.token_arguments import TOKEN_ARGUMENTS, Texts

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_oauth_provider.tasks.parameters import TaskParameters

__all__ = ["OAuth2AuthorizationCheckOperator", "OAuth2HttpOperator"]


class OAuth2HttpOperator(DeferrableCall):
    """Call an API that is protected by OAuth 2.0.

    Arguments that cannot be meant are refused when the operator is made, templated ones when Airflow has
    rendered them.

    :param oauth2_conn_id: Airflow connection id (templated).
    :param endpoint: relative to the base URL, or absolute within the allowed origins (templated).
    :param method: HTTP method.
    :param data: query parameters for GET, body otherwise (templated).
    :param json: body, sent as JSON (templated); not together with a body in *data*.
    :param headers: of the call (templated).
    :param extra_options: as of ``OAuth2Hook.run``.
    :param request_kwargs: further arguments of ``requests.Request``, e.g. ``{"params": …}``.
    :param base_url: of the API, to call several with one connection (templated).
    :param scope: asked for instead of the connection's, space-delimited or a list; *audience*, *resource*
        and *tenant* likewise (all templated). See ``OAuth2Hook``.
    :param pagination_function: is given each response, and returns what differs in the call of the next
        page (``endpoint``, ``data``, ``headers``, ``extra_options``), or nothing after the last page.
    :param response_check: a callable that is given the response (with a *pagination_function* the list of
        them), and of the context what it names; or a
        :class:`~airflow_oauth_provider.response_check.ResponseCheck`. The task fails if it does not hold.
    :param response_filter: a callable that makes the task's result, given the same. Secrets and tokens of
        the connection are taken out of what it returns, however deep in texts, bytes, numbers, lists,
        tuples, sets, mappings, and objects of dataclasses, attrs and pydantic. Other objects (a data frame)
        pass as they are: of those, choose what may go to XCom.
    :param log_response: log the text of the response.
    :param deferrable: leave the worker while waiting for the API; ``None`` for ``[operators]
        default_deferrable``.
    :param retry_args: of ``tenacity.Retrying``: when to repeat the call.
    :param response_headers: headers of the response that checks and filters need when deferred, beside
        the usual harmless ones; one, or several.
    :param max_event_body: bytes of the largest body that passes through Airflow's metadata database
        when deferred; a larger one is fetched again by the worker.
    :param fail_fast: fail at once, without the task's retries and those of *retry_args*, where repeating
        cannot help: a wrong configuration, a refused client, an API response of 401 or 403.
    :param tcp_keep_alive: and its like: on the worker only; in the triggerer many tasks share their
        connections.
    :param warn_on_non_idempotent: no warning is needed here: the worker sends what is not idempotent.
    :param auth_type: not accepted: the connection decides. Only ``None`` is.
    :param http_conn_id: another name for *oauth2_conn_id*.
    :param kwargs: of Airflow's ``BaseOperator``.
    :raises ConfigurationError: when an argument cannot be meant; it names the argument.
    """

    conn_id_field = "oauth2_conn_id"
    template_fields: Sequence[str] = (
        "endpoint",
        "data",
        "json",
        "headers",
        "oauth2_conn_id",
        "base_url",
        *TOKEN_ARGUMENTS,
    )
    template_fields_renderers = {"headers": "json", "data": "py", "json": "json"}  # noqa: RUF012  (as the base has it)
    retry_args: dict[str, Any] | None
    request_kwargs: dict[str, Any]

    def __init__(  # noqa: PLR0913  (HttpOperator's parameters and ours)
        self,
        *,
        oauth2_conn_id: str | None = None,
        endpoint: str | None = None,
        method: str = "POST",
        data: dict[str, Any] | str | None = None,
        json: Any = None,
        headers: dict[str, str] | None = None,
        extra_options: dict[str, Any] | None = None,
        request_kwargs: dict[str, Any] | None = None,
        base_url: str | None = None,
        scope: Texts | None = None,
        audience: str | None = None,
        resource: Texts | None = None,
        tenant: str | None = None,
        pagination_function: Callable[..., Any] | None = None,
        response_check: Callable[..., Any] | ResponseCheck | Mapping[str, Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        log_response: bool = False,
        deferrable: bool | None = None,
        retry_args: dict[str, Any] | None = None,
        response_headers: str | Sequence[str] = (),
        max_event_body: int = 256 * 1024,
        fail_fast: bool = True,
        tcp_keep_alive: bool = True,
        tcp_keep_alive_idle: int = 120,
        tcp_keep_alive_count: int = 20,
        tcp_keep_alive_interval: int = 30,
        warn_on_non_idempotent: bool = True,
        auth_type: None = None,
        http_conn_id: str | None = None,
        **kwargs: Unpack[TaskParameters],
    ) -> None:
        conn_id = one_conn_id(oauth2_conn_id, http_conn_id)
        require_no_auth_type(auth_type, conn_id)
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        super().__init__(
            http_conn_id=conn_id,
            endpoint=endpoint,
            method=method,
            data=data,
            headers=headers,
            extra_options=extra_options,
            request_kwargs=request_kwargs,
            pagination_function=pagination_function,
            response_check=ResponseCheck.of(response_check) or response_check,
            response_filter=response_filter,
            log_response=log_response,
            deferrable=deferrable,
            tcp_keep_alive=tcp_keep_alive,
            tcp_keep_alive_idle=tcp_keep_alive_idle,
            tcp_keep_alive_count=tcp_keep_alive_count,
            tcp_keep_alive_interval=tcp_keep_alive_interval,
            **kwargs,
        )
        self.oauth2_conn_id = conn_id
        self.json = json
        self.base_url = base_url
        self.choose_token(scope, audience, resource, tenant)
        self.fail_fast = fail_fast
        self.warn_on_non_idempotent = warn_on_non_idempotent
        self.max_event_body = max_event_body
        self._check_arguments()
        self.response_headers = header_names(response_headers, conn_id)
        self.retry_args = self._with_retry_condition(retry_args)

    def _check_arguments(self) -> None:
        """Check those that are no templates."""
        arguments = self._check_call_arguments()
        arguments.body(self.method, data=self.data, json=self.json, request_kwargs=self.request_kwargs)
        arguments.function("pagination_function", self.pagination_function)
        arguments.function("response_check", self.response_check)
        arguments.function("response_filter", self.response_filter)
        if self.pagination_function is not None and isinstance(self.response_check, ResponseCheck):
            arguments.refuse(
                "response_check", "a ResponseCheck checks one response: for pages, give a callable"
            )
        arguments.flag("log_response", self.log_response)
        arguments.whole_number("max_event_body", self.max_event_body, least=0)

    def _with_retry_condition(self, retry_args: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            return with_retry_condition(retry_args, fail_fast=self.fail_fast)
        except TypeError as error:
            Arguments(self.oauth2_conn_id).refuse("retry_args", f"tenacity does not take them: {error}")
