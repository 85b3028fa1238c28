"""Authentication for httpx: ``httpx.Client(auth=OAuth2Auth("my_api"))``, and ``AsyncClient`` likewise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import httpx

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.httpx_calls import HttpxCall
from airflow_oauth_provider.client.prepared_client import PreparedClient
from airflow_oauth_provider.connection.token_parameters import Texts, chosen_parameters


class OAuth2Auth(httpx.Auth):
    """The token of one connection, for httpx; a refused one is renewed once, and the request sent again once.

    It holds a connection and never a token, and serves any number of clients, threads and event loops.

    :param oauth2_conn_id: Airflow connection id.
    :param base_url: of the API; needed when the connection names none.
    :param scope: asked for instead of the connection's, like *audience*, *resource* and *tenant*.
    :param cool_down: as of :class:`airflow_oauth_provider.auth.OAuth2Auth`.
    """

    def __init__(
        self,
        oauth2_conn_id: str,
        *,
        base_url: str | None = None,
        scope: Texts | None = None,
        audience: str | None = None,
        resource: Texts | None = None,
        tenant: str | None = None,
        cool_down: str | None = None,
    ) -> None:
        parameters = chosen_parameters(oauth2_conn_id, scope, audience, resource, tenant)
        client = PreparedClient(oauth2_conn_id, parameters=parameters)
        self._auth = BearerAuth(client, base_url, cool_down=cool_down)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of connection {self._auth.client.conn_id!r}>"

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send *request* with a token, and again where another token or proof may help.

        :raises OAuthError: when there is no token, or the call must not go on.
        """
        call = HttpxCall(self._auth, request)
        following: httpx.Request | None = call.begin()
        while following is not None:
            response = yield following
            following = call.next_request(response)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Do what :meth:`sync_auth_flow` does without blocking the event loop."""
        call = HttpxCall(self._auth, request)
        following: httpx.Request | None = await call.abegin()
        while following is not None:
            response = yield following
            following = await call.anext_request(response)
