"""The notifier: sends the outcome of a task or DAG run to an API that is protected by OAuth 2.0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_oauth_provider.connection.identifier import one_conn_id
from airflow_oauth_provider.tasks.arguments import Arguments
from airflow_oauth_provider.tasks.token_arguments import TOKEN_ARGUMENTS, Texts, TokenArguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook


class OAuth2HttpNotifier(TokenArguments, BaseNotifier):
    """Call an API from ``on_failure_callback`` and its like, or from a deadline in the triggerer.

    :param oauth2_conn_id: Airflow connection id (templated).
    :param endpoint: relative to the base URL, or absolute within the allowed origins (templated).
    :param method: HTTP method.
    :param data: query parameters for GET, body otherwise (templated).
    :param json: body, sent as JSON (templated).
    :param headers: of the call (templated).
    :param extra_options: as of ``OAuth2Hook.run`` (templated).
    :param base_url: of the API, to call several with one connection (templated).
    :param scope: asked for instead of the connection's, space-delimited or a list; *audience*, *resource*
        and *tenant* likewise (all templated). See ``OAuth2Hook``.
    :param http_conn_id: another name for *oauth2_conn_id*.
    :param context: for a deadline in the triggerer, which Airflow gives it (3.1 and later).
    :raises ConfigurationError: when an argument cannot be meant; it names the argument.
    """

    template_fields: Sequence[str] = (
        "oauth2_conn_id",
        "endpoint",
        "data",
        "json",
        "headers",
        "extra_options",
        "base_url",
        *TOKEN_ARGUMENTS,
    )

    def __init__(  # noqa: PLR0913  (the HTTP notifier's parameters and ours)
        self,
        *,
        oauth2_conn_id: str | None = None,
        endpoint: str | None = None,
        method: str = "POST",
        data: dict[str, Any] | str | None = None,
        json: Any = None,
        headers: dict[str, str] | None = None,
        extra_options: dict[str, Any] | None = None,
        base_url: str | None = None,
        scope: Texts | None = None,
        audience: str | None = None,
        resource: Texts | None = None,
        tenant: str | None = None,
        http_conn_id: str | None = None,
        context: Context | None = None,
    ) -> None:
        # Set before the base class, which looks for template files in them.
        self.oauth2_conn_id = one_conn_id(oauth2_conn_id, http_conn_id)
        self.endpoint = endpoint
        self.method = method
        self.data = data
        self.json = json
        self.headers = headers
        self.extra_options = extra_options
        self.base_url = base_url
        self.choose_token(scope, audience, resource, tenant)
        arguments = Arguments(self.oauth2_conn_id)
        arguments.method(method)
        arguments.body(method, data=data, json=json, request_kwargs=None)
        if context is None:
            super().__init__()
        else:
            super().__init__(context=context)

    def notify(self, context: Context) -> None:
        """Make the call.

        :raises OAuthError: as ``OAuth2Hook.run`` does; Airflow logs it, and the task's state stays.
        """
        call = self._call()
        self._hook().run(**call)

    async def async_notify(self, context: Context) -> None:
        """Make the call without blocking the event loop.

        :raises OAuthError: as ``OAuth2Hook.arun`` does.
        """
        call = self._call()
        hook = self._hook()
        try:
            await hook.arun(**call)
        finally:
            await hook.aclose()

    def _hook(self) -> OAuth2Hook:
        """Return a hook for what the templates made of the arguments."""
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        return OAuth2Hook(self.oauth2_conn_id, self.method, base_url=self.base_url, **self.token_arguments)

    def _call(self) -> dict[str, Any]:
        """Return what the templates made of the call.

        :raises ConfigurationError: when it cannot be meant.
        """
        arguments = Arguments(self.oauth2_conn_id)
        arguments.text("endpoint", self.endpoint)
        arguments.text("base_url", self.base_url)
        arguments.headers(self.headers)
        arguments.options(self.extra_options)
        arguments.body(self.method, data=self.data, json=self.json, request_kwargs=None)
        return {
            "endpoint": self.endpoint,
            "data": self.data,
            "headers": self.headers,
            "extra_options": self.extra_options,
            "json": self.json,
        }
