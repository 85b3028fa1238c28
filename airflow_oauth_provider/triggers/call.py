"""What the triggers of this package share: the call they make."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, Any, TypedDict

from requests import Response

from airflow_oauth_provider.calls.call_log import logged_by_caller
from airflow_oauth_provider.calls.options import unwaiting
from airflow_oauth_provider.tasks.arguments import Arguments
from airflow_oauth_provider.tasks.token_arguments import Texts

if TYPE_CHECKING:
    from airflow_oauth_provider.connection.token_parameters import TokenParameters

MAX_EVENT_BODY = 256 * 1024
"""Bytes of the largest body that passes through Airflow's metadata database unasked."""
MAX_BODY = 8 * 1024 * 1024
"""Bytes of the largest body that is read: reading the JSON of more would hold up all other triggers."""


class CallParameters(TypedDict, total=False):
    """What all triggers take beside the connection: the call they make, typed for the type checker.

    ``endpoint`` is relative to the base URL, or absolute within the allowed origins; ``method`` an HTTP
    method, by default GET; ``data`` the query parameters for GET, the body otherwise; ``headers`` those of
    the call; ``extra_options`` as of ``OAuth2Hook.run``; ``request_kwargs`` further arguments of
    ``requests.Request``, e.g. ``{"json": …}``; ``base_url`` that of the API; ``scope``,
    ``audience``, ``resource`` and ``tenant`` as of ``OAuth2Hook``.
    """

    endpoint: str | None
    method: str
    data: Any
    headers: dict[str, str] | None
    extra_options: dict[str, Any] | None
    request_kwargs: dict[str, Any] | None
    base_url: str | None
    scope: Texts | None
    audience: str | None
    resource: Texts | None
    tenant: str | None


@dataclass(frozen=True)
class Call:
    """One call of an API, as JSON can hold it; :class:`CallParameters` say what its parts mean.

    :raises ConfigurationError: for what a trigger cannot be given.
    """

    oauth2_conn_id: str
    _: KW_ONLY
    endpoint: str | None = None
    method: str = "GET"
    data: Any = None
    headers: dict[str, str] | None = None
    extra_options: dict[str, Any] | None = None
    request_kwargs: dict[str, Any] | None = None
    base_url: str | None = None
    scope: Texts | None = None
    audience: str | None = None
    resource: Texts | None = None
    tenant: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra_options", _with_tuple(self.extra_options))
        self._check()

    def _check(self) -> None:
        arguments = Arguments(self.oauth2_conn_id)
        for name, value in self.arguments().items():
            if not _is_json(value):
                arguments.refuse(
                    name,
                    "cannot be handed to the triggerer: give text, numbers, lists and dicts, or set "
                    "deferrable=False",
                )
        arguments.method(self.method)
        arguments.text("endpoint", self.endpoint)
        arguments.text("base_url", self.base_url)
        arguments.headers(self.headers)
        arguments.options(self.extra_options)
        arguments.body(self.method, data=self.data, json=None, request_kwargs=self.request_kwargs)
        self._parameters()

    def _parameters(self) -> TokenParameters:
        from airflow_oauth_provider.connection.token_parameters import chosen_parameters

        return chosen_parameters(self.oauth2_conn_id, self.scope, self.audience, self.resource, self.tenant)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def hook(self) -> AbstractAsyncContextManager[Any]:
        """Use a hook for it, the one of all triggers of the running loop that call this API."""
        from airflow_oauth_provider.hooks.shared_hook import shared_hook

        return shared_hook(self.oauth2_conn_id, self.method, self.base_url, self._parameters())

    async def poll(self, hook: Any, *, limit: int | None = None) -> Response:
        """Make it as one of many: the caller logs what comes of it, and makes pauses that are long enough.

        :raises ResourceError: also while the API wants to be left alone: then nothing was sent.
        """
        with logged_by_caller():
            return await self._made(hook, unwaiting(self.extra_options), limit)

    async def make(self, hook: Any, *, limit: int | None = None) -> Response:
        """Make it.

        :param limit: bytes; of a larger body nothing is kept.
        """
        return await self._made(hook, self.extra_options, limit)

    async def _made(self, hook: Any, extra_options: dict[str, Any] | None, limit: int | None) -> Response:
        response: Response = await hook.arun(
            self.endpoint,
            self.data,
            self.headers,
            extra_options,
            max_body=limit,
            **(self.request_kwargs or {}),
        )
        return response


def _with_tuple(extra_options: dict[str, Any] | None) -> dict[str, Any] | None:
    """Make a tuple of the two timeouts again, which JSON has made a list of."""
    timeout = extra_options.get("timeout") if isinstance(extra_options, dict) else None
    return (
        {**(extra_options or {}), "timeout": tuple(timeout)} if isinstance(timeout, list) else extra_options
    )


def _is_json(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int | float | bool)
