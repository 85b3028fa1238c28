"""An adapter by which a ``requests`` session reaches an API as the API's connection says, now.

A session may outlive a change of its connection: the next token is that of the new settings, and where it is
bound to a client certificate, no call must carry it with the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.transport.adapter import OAuth2Adapter
from airflow_oauth_provider.transport.network_options import NetworkOptions


class ConnectionAdapter(BaseAdapter):
    """Sends a request over connections of the settings that are in force now.

    :param client: of the connection.
    :param options: returns how the API is reached by the connection's settings.
    :raises ConfigurationError: when they are wrong.
    """

    def __init__(self, client: OAuth2Client, options: Callable[[], NetworkOptions]) -> None:
        super().__init__()
        self._client = client
        self._options = options
        self._made = self._make()

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send a request; ``verify`` and ``cert`` of the session say nothing here."""
        response = self._current().adapter.send(request, *args, **kwargs)
        response.connection = self  # type: ignore[assignment]  # a replay goes through here
        return response

    def send_elsewhere(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a request to a host that is not the API's, which sees no client certificate."""
        return self._current().elsewhere.send(request, **kwargs)

    def close(self) -> None:
        """Close it; a later request opens it anew."""
        self._made.adapter.close()
        self._made.elsewhere.close()

    def _current(self) -> _Adapters:
        if self._made.settings is not self._client.settings:
            self._made = self._make()  # the others are left to calls that are under way
        return self._made

    def _make(self) -> _Adapters:
        return _Adapters(self._client.settings, self._options())


class _Adapters:
    """Those for one version of the settings."""

    __slots__ = ("adapter", "elsewhere", "settings")

    def __init__(self, settings: ClientSettings, options: NetworkOptions) -> None:
        self.settings = settings
        self.adapter = OAuth2Adapter.of(options)
        self.elsewhere = self.adapter
        if options.context_elsewhere is not None:
            self.elsewhere = OAuth2Adapter.of(options.elsewhere)
