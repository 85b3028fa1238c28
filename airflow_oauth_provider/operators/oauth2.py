"""The operators: Airflow's HTTP operator with an OAuth 2.0 connection, and the check of authorizations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.http.operators.http import HttpOperator

from airflow_oauth_provider.arguments import one_conn_id, require_no_auth_type
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, ResourceError
from airflow_oauth_provider.operators.authorization_check import OAuth2AuthorizationCheckOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

__all__ = ["OAuth2AuthorizationCheckOperator", "OAuth2HttpOperator"]

_DEFINITE_STATUSES = frozenset({401, 403})


class OAuth2HttpOperator(HttpOperator):
    """Call an API that is protected by OAuth 2.0.

    All parameters of ``HttpOperator`` but ``auth_type`` hold, and:

    :param oauth2_conn_id: Airflow connection id (templated).
    :param json: body, sent as JSON (templated).
    :param base_url: of the API, to call several with one connection (templated).
    :param fail_fast: fail at once, without the task's retries, where repeating cannot help: a wrong
        configuration, a refused client, an API answer of 401 or 403.
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

    def __init__(
        self,
        *,
        oauth2_conn_id: str | None = None,
        http_conn_id: str | None = None,
        json: Any = None,
        base_url: str | None = None,
        fail_fast: bool = True,
        deferrable: bool = False,
        **kwargs: Any,
    ) -> None:
        conn_id = one_conn_id(oauth2_conn_id, http_conn_id)
        if deferrable:
            raise ConfigurationError(
                "OAuth2HttpOperator runs on the worker: leave deferrable out",
                field="deferrable",
                conn_id=conn_id,
            )
        require_no_auth_type(kwargs.pop("auth_type", None), conn_id)
        # Not by default_deferrable either: the stock trigger would send id and secret to the API.
        super().__init__(http_conn_id=conn_id, deferrable=False, **kwargs)
        self.oauth2_conn_id = conn_id
        self.json = json
        self.base_url = base_url
        self.fail_fast = fail_fast

    @cached_property
    def hook(self) -> OAuth2Hook:
        """The hook: one for all pages, so that they share connection, session and token."""
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        return OAuth2Hook(
            self.oauth2_conn_id,
            self.method,
            base_url=self.base_url,
            tcp_keep_alive=self.tcp_keep_alive,
            tcp_keep_alive_idle=self.tcp_keep_alive_idle,
            tcp_keep_alive_count=self.tcp_keep_alive_count,
            tcp_keep_alive_interval=self.tcp_keep_alive_interval,
        )

    def execute(self, context: Context) -> Any:
        """Make the call, page by page where there is a ``pagination_function``.

        :raises AirflowFailException: caused by the typed error, where *fail_fast* says so.
        :raises OAuthError: otherwise.
        """
        if self.json is not None:
            self.request_kwargs["json"] = self.json
        try:
            return self._without_secrets(super().execute(context))
        except OAuthError as error:
            if self.fail_fast and is_definite(error):
                raise AirflowFailException(str(error)) from error
            raise

    def on_kill(self) -> None:
        """Leave every wait; Airflow calls this within a signal handler."""
        hook: OAuth2Hook | None = self.__dict__.get("hook")
        if hook is not None:
            hook.stop()

    def _without_secrets(self, result: Any) -> Any:
        """Keep an API that echoes its request from putting the token into XCom."""
        if isinstance(result, str):
            return self.hook.redact(result)
        if isinstance(result, list):
            return [self.hook.redact(item) if isinstance(item, str) else item for item in result]
        return result


def is_definite(error: OAuthError) -> bool:
    """Whether repeating the task as it is cannot help."""
    if isinstance(error, ResourceError) and error.status is not None:
        return error.status in _DEFINITE_STATUSES
    return not error.retryable
