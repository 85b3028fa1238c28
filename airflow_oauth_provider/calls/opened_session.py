"""What an open session of coroutines consists of: sessions and connectors for one version of the settings."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.urls import acceptable, parse_url
from airflow_oauth_provider.transport.async_responses import TimedResponse
from airflow_oauth_provider.transport.call_failure import call_failed
from airflow_oauth_provider.transport.connectors import SharedConnector, shared_connector
from airflow_oauth_provider.transport.faults import ADDRESS_REFUSED
from airflow_oauth_provider.transport.network_options import NetworkOptions
from airflow_oauth_provider.transport.proxies import Proxy, proxy_for
from airflow_oauth_provider.transport.response_protocol import HEAD_LIMITS


class OpenedSession:
    """The aiohttp sessions of an :class:`OAuth2AsyncSession` between its opening and its closing.

    :param settings: in force when it was opened.
    :param options: how the API is reached by them.
    :param jar: of the cookies towards the API.
    :param chosen_proxies: as in ``requests``; ``None`` for those of connection and environment.
    """

    def __init__(
        self,
        settings: ClientSettings,
        options: NetworkOptions,
        jar: aiohttp.abc.AbstractCookieJar,
        chosen_proxies: Mapping[str, str] | None,
    ) -> None:
        self.settings = settings
        self.jar = jar
        self._chosen_proxies = chosen_proxies
        self._proxies: dict[str, Proxy | None] = {}
        self._connector = shared_connector(options)
        self._elsewhere: SharedConnector | None = None
        self._stranger: aiohttp.ClientSession | None = None
        self.head_timers = self._connector.head_timers
        self.session = _new_session(jar, self._connector)

    def elsewhere(self) -> aiohttp.ClientSession:
        """Return the session for hosts that are not the API's: without cookies and client certificate."""
        if self._elsewhere is None:
            self._elsewhere = shared_connector(self._connector.options.elsewhere)
        self._elsewhere.resolver.proxies |= self._connector.resolver.proxies
        if self._stranger is None:
            self._stranger = _new_session(aiohttp.DummyCookieJar(), self._elsewhere)
        return self._stranger

    async def close(self) -> None:
        """Close it."""
        for session in filter(None, (self.session, self._stranger)):
            await session.close()
        for connector in filter(None, (self._connector, self._elsewhere)):
            await connector.leave()

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy for *url*; looked up, and addresses looked at, once per origin.

        :raises ConfigurationError: for an address that a token must not reach.
        """
        origin = url[: url.find("/", 8)]
        if origin not in self._proxies:
            self._proxies[origin] = self._looked_up_proxy(url)
        return self._proxies[origin]

    def known_proxy(self, url: str) -> Proxy | None:
        """Return the proxy for *url*, if it has been looked up."""
        return self._proxies.get(url[: url.find("/", 8)])

    def _looked_up_proxy(self, url: str) -> Proxy | None:
        proxy = proxy_for(url, self.settings.network, self._chosen_proxies)
        if proxy is not None:
            self._connector.add_proxy(proxy)
            return proxy
        origin = parse_url(url.partition("#")[0]).origin
        any_address = self._connector.options.any_address(origin.host, origin.port)
        if not acceptable(origin.host, origin.host, any_address=any_address):  # the resolver sees names only
            raise call_failed(url, ADDRESS_REFUSED)
        return None


def _new_session(jar: aiohttp.abc.AbstractCookieJar, connector: SharedConnector) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        **HEAD_LIMITS,
        connector=connector.connector,
        connector_owner=False,
        cookie_jar=jar,
        response_class=TimedResponse,
    )
    # A call is sent once (aiohttp would repeat idempotent ones; it offers no public switch).
    session._retry_connection = False  # noqa: SLF001
    return session
