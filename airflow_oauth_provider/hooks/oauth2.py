"""The hook: Airflow's HTTP hook with a token that takes care of itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from airflow.providers.http.hooks.http import HttpHook
from requests import PreparedRequest, Request, Response

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.calls import network as reaching
from airflow_oauth_provider.calls.access import BearerAuth, OneTokenAuth
from airflow_oauth_provider.calls.options import SESSION_OPTIONS
from airflow_oauth_provider.calls.response import credential_of
from airflow_oauth_provider.calls.session import DEFAULT_TIMEOUT, OAuth2Session
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection import fields, form
from airflow_oauth_provider.connection.identifier import DEFAULT_CONN_ID, one_conn_id, require_no_auth_type
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.access_token import scopes_text
from airflow_oauth_provider.protocol.call.endpoints import destination, resolve_endpoint
from airflow_oauth_provider.protocol.call.refusal import resource_error
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.token.retry import retry_after
from airflow_oauth_provider.protocol.urls import host_allowed
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.transport.adapter import OAuth2Adapter
from airflow_oauth_provider.transport.stopping import Stop

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

    from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
    from airflow_oauth_provider.calls.keep_alive import KeptSession

MAX_TEST_MESSAGE = 500
PROBE_TIMEOUT = 10.0


class OAuth2Hook(HttpHook):
    """Call an API that is protected by OAuth 2.0, with the token of a connection.

    One keep-alive session per hook; the connection is read once, and again before a new token is
    asked for.

    :param oauth2_conn_id: Airflow connection id.
    :param method: HTTP method of :meth:`run`.
    :param connection: the connection itself, where the caller has it already.
    :param base_url: of the API, to call several APIs with one connection; must lie in the
        connection's origins where it names any.
    :param http_conn_id: another name for *oauth2_conn_id*.
    :param auth_type: not accepted: the connection decides. Only ``None`` is.
    :param adapter: the ``requests`` adapter for API calls; ``None`` for our own.
    """

    conn_name_attr = "oauth2_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = fields.CONNECTION_TYPE
    hook_name = fields.HOOK_NAME
    keeps_cookies = True
    """Whether :meth:`arun` keeps cookies between calls, as a session of ``requests`` does."""

    def __init__(  # noqa: PLR0913  (HttpHook's parameters and ours)
        self,
        oauth2_conn_id: str | None = None,
        method: str = "POST",
        *,
        http_conn_id: str | None = None,
        base_url: str | None = None,
        connection: Any = None,
        auth_type: Any = None,
        tcp_keep_alive: bool = True,
        tcp_keep_alive_idle: int = 120,
        tcp_keep_alive_count: int = 20,
        tcp_keep_alive_interval: int = 30,
        adapter: HTTPAdapter | None = None,
    ) -> None:
        conn_id = one_conn_id(oauth2_conn_id, http_conn_id, getattr(connection, "conn_id", None))
        require_no_auth_type(auth_type, conn_id)
        super().__init__(
            method=method,
            http_conn_id=conn_id,
            tcp_keep_alive=False,  # our own adapter sees to it
            adapter=adapter,
        )
        self.oauth2_conn_id = conn_id
        times = tcp_keep_alive_idle, tcp_keep_alive_interval, tcp_keep_alive_count
        self._keep_alive = times if tcp_keep_alive else None
        self._client = OAuth2Client(conn_id, connection)
        self._auth = BearerAuth(self._client, base_url)
        self._session: OAuth2Session | None = None
        self._kept: WeakKeyDictionary[asyncio.AbstractEventLoop, KeptSession] = WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        """Leave session, settings and tokens behind: the other process makes its own."""
        return {name: value for name, value in self.__dict__.items() if name not in {"_session", "_kept"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._session = None
        self._kept = WeakKeyDictionary()

    @classmethod
    def using(cls, client: OAuth2Client) -> Self:
        """Return a hook for the connection and with the tokens of *client*."""
        hook = cls(client.conn_id)
        hook._client, hook._auth = client, BearerAuth(client)
        return hook

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's extra fields, for Airflow 3.0 and 3.1."""
        return form.connection_form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form treats standard fields, for Airflow 3.0 and 3.1."""
        return form.ui_field_behaviour()

    @property
    def auth(self) -> OAuth2Auth:
        """Authentication for other ``requests`` code, sharing this hook's token."""
        return OAuth2Auth.of(self._auth)

    def get_token(self, force: bool = False) -> AccessToken:
        """Return an access token that may be used now.

        :param force: a new one, whatever is held; remembered refusals hold all the same.
        :raises ConfigurationError: when the connection is wrong.
        :raises TokenEndpointError: when the authorization server refuses.
        :raises TokenResponseError: when its answer is no token.
        :raises TransportError: when it does not answer within ``max_wait`` seconds.
        """
        token = None if force else self._client.held_token
        return token or self._client.get_token(force=force)

    async def aget_token(self, force: bool = False) -> AccessToken:
        """Return an access token that may be used now, without blocking the event loop.

        From memory it comes without awaiting anything; however many coroutines ask, one thread asks
        for them.

        :param force: as of :meth:`get_token`, whose errors it raises.
        """
        return await self._client.aget_token(force=force)

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> OAuth2Session:
        """Return a session that adds the token.

        :param headers: sent with every call; asking for some makes a session of its own.
        :param extra_options: ``verify`` (a CA bundle's path), ``cert``, ``proxies``; likewise.
        """
        own = _session_options(extra_options)
        if headers or own:
            session = self._new_session(own)
            session.headers.update(headers or {})
            session.proxies = own.get("proxies") or own.get("proxy") or {}
            return session
        if self._session is None or self._session.settings is not self._client.settings:
            self._session = self._new_session({})  # with an edited connection's headers, CA and proxy
        return self._session

    def run(
        self,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> Response:
        """Make one call; only a refused token makes it two.

        :param endpoint: relative to the base URL, or absolute within the allowed origins.
        :param data: query parameters for GET, body otherwise.
        :param headers: of this call.
        :param extra_options: of this call: ``timeout`` (seconds, default 60), ``check_response``,
            ``allow_redirects``, ``stream``, ``verify``, ``cert``, ``proxies``.
        :param request_kwargs: further arguments of ``requests.Request``, e.g. ``json=…``.
        :raises ResourceError: when the API refuses (unless ``check_response`` is false).
        :raises OAuthError: when there is no token to be had; see :meth:`get_token`.
        """
        options = extra_options or {}
        session = self.get_conn(None, options)
        arguments = self._arguments(data, headers, request_kwargs)
        request = Request(self.method, self.url_from_endpoint(endpoint), **arguments)
        return self.run_and_check(session, session.prepare_request(request), options)

    async def arun(
        self,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> Response:
        """Do what :meth:`run` does without blocking the event loop.

        Its connections stay open for the next call, until 5 s pass without one or :meth:`aclose`.

        :return: a response that has been read and closed, as ``requests`` makes them.
        """
        return await self.arun_within(None, endpoint, data, headers, extra_options, **request_kwargs)

    async def arun_within(
        self,
        limit: int | None,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> Response:
        """Do what :meth:`arun` does with bodies up to a size.

        :param limit: bytes; the content of an answer that is larger is ``None``. ``None`` for any size.
        """
        options = extra_options or {}
        own = _session_options(options)
        arguments = self._arguments(data, headers, request_kwargs)
        if options:
            arguments.update(self._call_options(options))
        if own:
            async with self.asession(extra_options=own) as session:
                response = await session.fetch(self.method, endpoint, arguments, limit=limit)
        else:
            with self._kept_open() as session:
                response = await session.fetch(self.method, endpoint, arguments, limit=limit)
        if options.get("check_response", True):
            self.check_response(response)
        return response

    def asession(
        self, headers: dict[str, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> OAuth2AsyncSession:
        """Return an aiohttp session that adds the token; use it with ``async with``.

        :param headers: sent with every call.
        :param extra_options: ``verify`` (a CA bundle's path), ``cert``, ``proxies``.
        """
        from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
        from airflow_oauth_provider.transport.connectors import Reach

        own = _session_options(extra_options)
        return OAuth2AsyncSession(
            self._auth,
            lambda: Reach(*self._reached(own)),
            headers=headers,
            proxies=own.get("proxies") or own.get("proxy"),
            keep_cookies=self.keeps_cookies,
        )

    async def aread(self) -> None:
        """Read the connection, unless that was done within the last second.

        :raises ConfigurationError: when it is wrong.
        """
        await self._client.arecent_settings()

    async def aclose(self) -> None:
        """Close the connections that :meth:`arun` keeps open."""
        kept = self._kept.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept.close()

    def _kept_open(self) -> KeptSession:
        loop = asyncio.get_running_loop()
        kept = self._kept.get(loop)
        return self._keep_open(loop) if kept is None or kept.outdated else kept

    def _keep_open(self, loop: asyncio.AbstractEventLoop) -> KeptSession:
        from airflow_oauth_provider.calls.keep_alive import KeptSession

        kept = self._kept[loop] = KeptSession(self.asession(), self._kept.get(loop))
        return kept

    def _arguments(
        self, data: Any, headers: dict[str, Any] | None, request_kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Put *data* where Airflow's hook puts it: into the query of GET, else into the body."""
        arguments = {**request_kwargs, "headers": headers}
        if self.method == "GET":
            arguments["params"] = data or arguments.get("params")
        elif self.method != "HEAD":
            arguments["data"] = data
        return arguments

    def _call_options(self, options: dict[Any, Any]) -> dict[str, Any]:
        if options.get("stream"):
            raise ConfigurationError(
                "arun() reads the whole answer: leave stream out, or use asession()",
                field="extra_options",
                conn_id=self.oauth2_conn_id,
            )
        return {
            "timeout": options.get("timeout"),
            "allow_redirects": options.get("allow_redirects", True),
        }

    def run_and_check(
        self, session: Any, prepped_request: PreparedRequest, extra_options: dict[Any, Any]
    ) -> Response:
        """Send a prepared request and check the answer.

        :param extra_options: as of :meth:`run`.
        """
        response: Response = session.send(
            prepped_request,
            timeout=extra_options.get("timeout", DEFAULT_TIMEOUT),
            allow_redirects=extra_options.get("allow_redirects", True),
            stream=extra_options.get("stream", False),
        )
        if extra_options.get("check_response", True):
            self.check_response(response)
        return response

    def check_response(self, response: Response) -> None:
        """Raise for status 400 and above.

        The body is not logged: it may repeat what was sent.

        :raises ResourceError: with status and challenge.
        """
        if response.status_code >= 400:
            raise self._refusal(response)

    def _refusal(self, response: Response, *confidential: str) -> OAuthError:
        headers = tuple((name.lower(), value) for name, value in response.headers.items())
        challenges = [value for name, value in headers if name == "www-authenticate"]
        credential = credential_of(response)
        error = resource_error(
            response.status_code,
            response.reason or "",
            challenges,
            retry_after=retry_after(HttpResponse(response.status_code, headers), now=this_moment().wall),
            refusal_remembered=credential is not None and credential.refusal_remembered,
            redactor=self._client.redactor.with_values(*confidential),
        )
        return error.for_connection(self.oauth2_conn_id)

    def url_from_endpoint(self, endpoint: str | None) -> str:
        """Return the URL of an endpoint.

        :raises ConfigurationError: when the token may not go there.
        """
        try:
            return resolve_endpoint(self._auth.destination, endpoint)
        except ConfigurationError as error:
            raise error.for_connection(self.oauth2_conn_id) from None

    def run_with_advanced_retry(self, _retry_args: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        """Make a call, and repeat it as *_retry_args* (of tenacity) say.

        :raises OAuthError: the last error, as :meth:`run` does (or tenacity's, without ``reraise``).
        """
        return super().run_with_advanced_retry(
            {"sleep": self._client.stop.sleep, **_retry_args}, *args, **kwargs
        )

    def stop(self) -> None:
        """Leave every wait soon: for ``on_kill``, safe in a signal handler."""
        self._client.stop.stop()

    def stop_with(self, stop: Stop) -> None:
        """Leave every wait when *stop* says so, which may have said so already."""
        self._client.stop = stop

    @property
    def redactor(self) -> Redactor:
        """Removes this connection's secrets, and the tokens that calls have used."""
        return self._client.redactor

    def redact(self, text: str) -> str:
        """Replace this connection's secrets and tokens in *text* by ``***``, in whatever spelling.

        A text that holds part of one, 12 consecutive characters or more, is withheld whole.
        """
        return self.redactor.text(text)

    def test_connection(self) -> tuple[bool, str]:
        """Get a new token (10 s, one request) and, where that is safe, call ``probe_path``.

        :return: whether it worked, and a message of at most 500 characters for the person testing.
        """
        try:
            token = self._client.authorize()
            probed = self.probe(token)
            message = f"{describe(token, self._client.settings.request.scope)} {probed or ''}"
            return True, self._shown(message)
        except OAuthError as error:
            # Airflow tests under a random connection id, which would only puzzle.
            return False, self._shown(str(error.for_connection("")))
        except Exception as error:  # the caller shows whatever it is
            return False, self._shown(f"{type(error).__name__}: {error}")

    def probe(self, token: AccessToken, *, listed_only: bool = True) -> str | None:
        """GET ``probe_path`` with a token: at most 10 s, and no other token is asked for.

        :param token: that was just granted.
        :param listed_only: only where ``allowed_api_hosts`` lists the host of ``base_url``: Airflow's
            Test route takes that address from whoever presses Test.
        :return: what came of it; ``None`` where the connection has no ``probe_path``.
        :raises ResourceError: when the API refuses.
        """
        api = self._client.settings.api
        if api.probe_path is None or api.base_url is None:
            return None
        origin = api.base_url.origin
        if listed_only and (not api.listed_hosts or not host_allowed(origin, api.listed_hosts)):
            return (
                "The probe was skipped: [oauth2] allowed_api_hosts in airflow.cfg does not list "
                f"{origin.authority}."
            )
        url = resolve_endpoint(destination(api, None), api.probe_path)
        with self._new_session({}) as session:
            session.auth = OneTokenAuth(self._client, token)
            session.until = time.monotonic() + PROBE_TIMEOUT
            request = session.prepare_request(Request("GET", url))
            # Of the body nothing is wanted, and it may be without end.
            response = session.send(request, timeout=PROBE_TIMEOUT, stream=True)
            response.close()
        if response.status_code >= 400:
            raise self._refusal(response, token.value)
        return f"The probe answered HTTP status {response.status_code}."

    def _shown(self, message: str) -> str:
        text = " ".join(self.redact(message).split())
        return text if len(text) <= MAX_TEST_MESSAGE else text[: MAX_TEST_MESSAGE - 1] + "…"

    def _new_session(self, options: dict[str, Any]) -> OAuth2Session:
        if self.adapter is not None:
            return OAuth2Session(self._auth, self.adapter)
        context, any_address, socket_options = self._reached(options)
        adapter = OAuth2Adapter(context, any_address=any_address, socket_options=socket_options)
        return OAuth2Session(self._auth, adapter)

    def _reached(self, options: dict[str, Any]) -> reaching.Reached:
        try:
            return reaching.reach(self._auth, options, self._keep_alive)
        except ConfigurationError as error:
            raise error.for_connection(self.oauth2_conn_id) from None


def _session_options(extra_options: dict[Any, Any] | None) -> dict[str, Any]:
    """Return those options that make a session of its own necessary."""
    if not extra_options:
        return {}
    own = {key: extra_options.get(key) for key in SESSION_OPTIONS}
    return {key: value for key, value in own.items() if value is not None}


def describe(token: AccessToken, wanted: tuple[str, ...] = ()) -> str:
    """Say what was granted and until when, for people.

    :param wanted: the scopes that were asked for.
    """
    from datetime import UTC, datetime

    until = datetime.fromtimestamp(token.expires_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    scopes = f"scopes: {scopes_text(token)}" if token.scopes else "no scopes named"
    missing = " ".join(scope for scope in wanted if scope not in token.scopes)
    less = f" Asked for, but not granted: {missing}." if missing else ""
    return f"Authorized until {until} ({token.lifetime:.0f} s; {scopes}).{less}"
