"""Client middleware of aiohttp: ``ClientSession(middlewares=(oauth2_middleware("my_api"),))``."""

from __future__ import annotations

import aiohttp

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.aiohttp_calls import Middleware
from airflow_oauth_provider.client.prepared_client import PreparedClient
from airflow_oauth_provider.connection.token_parameters import Texts, chosen_parameters


def oauth2_middleware(
    oauth2_conn_id: str,
    *,
    base_url: str | None = None,
    scope: Texts | None = None,
    audience: str | None = None,
    resource: Texts | None = None,
    tenant: str | None = None,
    cool_down: str | None = None,
) -> aiohttp.ClientMiddlewareType:
    """Return a middleware that puts the token of a connection on requests.

    A refused one is renewed once, and the request sent again once. It holds a connection, and serves any
    number of sessions, threads and event loops.

    :param oauth2_conn_id: Airflow connection id.
    :param base_url: of the API; needed when the connection names none.
    :param scope: asked for instead of the connection's, like *audience*, *resource* and *tenant*.
    :param cool_down: as of :class:`airflow_oauth_provider.auth.OAuth2Auth`.
    """
    parameters = chosen_parameters(oauth2_conn_id, scope, audience, resource, tenant)
    client = PreparedClient(oauth2_conn_id, parameters=parameters)
    return Middleware(BearerAuth(client, base_url, cool_down=cool_down))
