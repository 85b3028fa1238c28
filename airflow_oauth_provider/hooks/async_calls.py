"""The calls of a hook that coroutines make."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from requests import Response

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.arguments import call_arguments
from airflow_oauth_provider.calls.call_log import log_call
from airflow_oauth_provider.calls.network import network_options, own_network, own_proxies
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
    from airflow_oauth_provider.calls.keep_alive import KeepAliveSession
    from airflow_oauth_provider.transport.loops import PerLoop
    from airflow_oauth_provider.transport.network_options import NetworkOptions


class AsyncCalls:
    """Those methods of a hook; the hook brings connection, method and the check of responses."""

    method: str
    oauth2_conn_id: str
    keeps_cookies = True
    """Whether :meth:`arun` keeps cookies between calls, as a session of ``requests`` does."""
    total_timeout: float | None = None
    """Seconds for a whole call of :meth:`arun`, where the call does not say; ``None`` for no limit."""
    deferred = False
    """Whether no worker waits for :meth:`arun`, so that cool-downs are waited out within that limit."""
    _client: OAuth2Client
    _auth: BearerAuth
    _tcp_keep_alive: tuple[int, int, int] | None
    _open_sessions: PerLoop[KeepAliveSession]

    def note_task(self) -> None:
        """Note in the connection's history that the running task uses it."""
        self._client.note_task()

    async def arun(
        self,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        *,
        max_body: int | None = None,
        **request_kwargs: Any,
    ) -> Response:
        """Do what ``run`` does without blocking the event loop.

        Its connections stay open for the next call, until 5 s pass without one or :meth:`aclose`.

        :param endpoint: as of ``run``, like *data*, *headers* and *request_kwargs*.
        :param extra_options: as of ``run``, but ``stream``.
        :param max_body: bytes; the content of a response that is larger is ``None``. ``None`` for any size.
        :return: a response that has been read and closed, as ``requests`` makes them.
        """
        method, own, checked = self.method, None, True
        arguments = call_arguments(method, data, headers, request_kwargs)
        if extra_options or self.total_timeout is not None:
            own = own_network(extra_options, self.oauth2_conn_id)
            checked = self._add_options(arguments, extra_options or {})
        started = time.monotonic()
        if own:
            async with self.asession(extra_options=own) as session:
                response = await session.fetch(method, endpoint, arguments, limit=max_body, checked=checked)
        else:
            kept = self._open_session()
            kept.enter()
            try:
                fetch = kept.session.fetch
                response = await fetch(method, endpoint, arguments, limit=max_body, checked=checked)
            finally:
                if kept.leave():
                    await kept.session.close()
        log_call(self._client, method, response, started)
        if checked:
            self.check_response(response)
        return response

    def check_response(self, response: Response) -> None:
        """Raise for a refusal; see the hook."""
        raise NotImplementedError

    def asession(
        self, headers: dict[str, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> OAuth2AsyncSession:
        """Return an aiohttp session that adds the token; use it with ``async with``.

        :param headers: sent with every call.
        :param extra_options: ``verify`` (a CA bundle's path), ``cert``, ``proxies``.
        """
        from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession

        own = own_network(extra_options, self.oauth2_conn_id)
        return OAuth2AsyncSession(
            self._auth,
            lambda: self._network(own),
            headers=headers,
            proxies=own_proxies(own),
            keep_cookies=self.keeps_cookies,
            deferred=self.deferred,
        )

    async def aread(self) -> None:
        """Read the connection, unless that was done within the last second.

        :raises ConfigurationError: when it is wrong.
        """
        await self._client.arecent_settings()

    async def aclose(self) -> None:
        """Close the connections that :meth:`arun` keeps open."""
        kept = self._open_sessions.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept.close()

    def _open_session(self) -> KeepAliveSession:
        loop = asyncio.get_running_loop()
        kept = self._open_sessions.get(loop)
        if kept is None or kept.is_closed or kept.session.outdated:
            return self._new_open_session(loop, kept)
        return kept

    def _new_open_session(
        self, loop: asyncio.AbstractEventLoop, before: KeepAliveSession | None
    ) -> KeepAliveSession:
        from airflow_oauth_provider.calls.keep_alive import KeepAliveSession

        return self._open_sessions.keep(loop, KeepAliveSession(self.asession(), before))

    def _add_options(self, arguments: dict[str, Any], options: dict[Any, Any]) -> bool:
        """Add them to the arguments of a call; return whether its response is to be checked."""
        if options.get("stream"):
            raise ConfigurationError(
                "arun() reads the whole response: leave stream out, or use asession()",
                field="extra_options",
                conn_id=self.oauth2_conn_id,
            )
        arguments.update(
            timeout=options.get("timeout"),
            total_timeout=options.get("total_timeout", self.total_timeout),
            allow_redirects=options.get("allow_redirects", True),
            cool_down=options.get("cool_down"),
        )
        return bool(options.get("check_response", True))

    def _network(self, own: dict[str, Any]) -> NetworkOptions:
        try:
            return network_options(self._auth, own, self._tcp_keep_alive)
        except ConfigurationError as error:
            refused = error.for_connection(self.oauth2_conn_id)
        raise refused
