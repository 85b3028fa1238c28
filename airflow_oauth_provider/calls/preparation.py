"""From the arguments of a coroutine's call to a call that may be made."""

from __future__ import annotations

from typing import Any

import requests.utils
from requests.structures import CaseInsensitiveDict

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.async_request import Outgoing, encoded, read_timeout
from airflow_oauth_provider.protocol.call.endpoints import Destination, resolve_endpoint

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_ARGUMENTS = frozenset(
    {"params", "data", "json", "files", "headers", "cookies", "timeout", "allow_redirects"}
)
_REMEMBERED = 64


class Preparation:
    """Prepares the calls of one session; an endpoint is resolved once.

    :param auth: where the token may go.
    """

    def __init__(self, auth: BearerAuth) -> None:
        self.auth = auth
        self._urls: dict[str | None, str] = {}
        self._where: Destination | None = None

    def prepare(self, method: str, endpoint: str | None, arguments: dict[str, Any]) -> Outgoing:
        """Return a call that may be made.

        :param arguments: as of ``OAuth2AsyncSession.request``.
        :raises ConfigurationError: when the token may not go there.
        """
        if not arguments.keys() <= _ARGUMENTS:
            self._refuse(arguments)
        where = self.auth.destination
        if where is not self._where:  # the connection has been read again, and may be another one
            self._where, self._urls = where, {}
        url = self._urls.get(endpoint) or self._resolved(endpoint)
        request = Outgoing(
            url, self._checked(arguments.get("headers")), read_timeout(arguments.get("timeout"))
        )
        if method in _WITH_BODY:
            request.name_no_type()
        if arguments.get("params"):
            request.encode_params(arguments["params"])
        data, json, files = arguments.get("data"), arguments.get("json"), arguments.get("files")
        if data or json is not None or files:
            request.encode_body(data, json, files)
        if arguments.get("cookies"):
            request.options["cookies"] = arguments["cookies"]
        return request

    def _refuse(self, arguments: dict[str, Any]) -> None:
        if arguments.get("auth") is not None:
            self.auth.require_no_other({"Authorization": "of the caller"})
        unknown = sorted(arguments.keys() - _ARGUMENTS - {"auth"})
        if unknown:
            raise TypeError(f"unexpected arguments for a call: {', '.join(unknown)}")

    def _resolved(self, endpoint: str | None) -> str:
        url = encoded(resolve_endpoint(self.auth.destination, endpoint))
        if len(self._urls) < _REMEMBERED:
            self._urls[endpoint] = url
        return url

    def _checked(self, headers: Any) -> dict[str, str]:
        if not headers:
            return {}
        for header in headers.items():
            requests.utils.check_header_validity(header)
        self.auth.require_no_other(CaseInsensitiveDict(headers))
        return dict(headers)
