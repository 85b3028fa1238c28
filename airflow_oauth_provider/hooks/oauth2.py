"""The hook: Airflow's HTTP hook with a token that takes care of itself."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from airflow.providers.http.hooks.http import HttpHook
from requests import PreparedRequest, Response

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.arguments import call_arguments, require_method
from airflow_oauth_provider.calls.call_log import log_call
from airflow_oauth_provider.calls.connection_adapter import ConnectionAdapter
from airflow_oauth_provider.calls.foreign_errors import without_secrets
from airflow_oauth_provider.calls.network import own_network, own_proxies
from airflow_oauth_provider.calls.refusals import refusal_of
from airflow_oauth_provider.calls.session import OAuth2Session
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection import fields, form
from airflow_oauth_provider.connection.identifier import DEFAULT_CONN_ID, one_conn_id, require_no_auth_type
from airflow_oauth_provider.connection.token_parameters import Texts, chosen_parameters
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.hooks import connection_test
from airflow_oauth_provider.hooks.async_calls import AsyncCalls
from airflow_oauth_provider.hooks.hook_tokens import HookTokens
from airflow_oauth_provider.protocol.call.endpoints import resolve_endpoint
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.transport.loops import PerLoop
from airflow_oauth_provider.transport.stopping import Stop

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter


class OAuth2Hook(HookTokens, AsyncCalls, HttpHook):
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
    :param tcp_keep_alive: ask a silent API by TCP whether it is still there, which also keeps firewalls
        from dropping the connection.
    :param tcp_keep_alive_idle: seconds of silence before the first probe.
    :param tcp_keep_alive_count: unanswered probes after which the connection is dead.
    :param tcp_keep_alive_interval: seconds between probes.
    :param adapter: the ``requests`` adapter for API calls, which TCP keep-alive is then up to; ``None`` for
        our own.
    :param scope: asked for instead of the connection's, space-delimited or a list; *audience*, *resource* and
        *tenant* (one of the connection's ``tenants``) likewise. Such calls have tokens of their own, and
        leave the connection's status as it is.
    """

    conn_name_attr = "oauth2_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = fields.CONNECTION_TYPE
    hook_name = fields.HOOK_NAME

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
        scope: Texts | None = None,
        audience: str | None = None,
        resource: Texts | None = None,
        tenant: str | None = None,
    ) -> None:
        conn_id = one_conn_id(oauth2_conn_id, http_conn_id, getattr(connection, "conn_id", None))
        require_no_auth_type(auth_type, conn_id)
        require_method(method, conn_id)
        super().__init__(
            method=method,
            http_conn_id=conn_id,
            tcp_keep_alive=False,  # our own adapter sees to it
            adapter=adapter,
        )
        self.oauth2_conn_id = conn_id
        times = tcp_keep_alive_idle, tcp_keep_alive_interval, tcp_keep_alive_count
        self._tcp_keep_alive = times if tcp_keep_alive else None
        parameters = chosen_parameters(conn_id, scope, audience, resource, tenant)
        self._client = OAuth2Client(conn_id, connection, parameters=parameters)
        self._auth = BearerAuth(self._client, base_url)
        self._session: OAuth2Session | None = None
        self._open_sessions = PerLoop()

    def __getstate__(self) -> dict[str, Any]:
        """Leave session, settings and tokens behind: the other process makes its own."""
        left = {"_session", "_open_sessions"}
        return {name: value for name, value in super().__getstate__().items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._session = None
        self._open_sessions = PerLoop()

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

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> OAuth2Session:
        """Return a session that adds the token.

        :param headers: sent with every call; asking for some makes a session of its own.
        :param extra_options: ``verify`` (a CA bundle's path), ``cert``, ``proxies``; likewise.
        """
        own = own_network(extra_options, self.oauth2_conn_id)
        if headers or own:
            session = self._new_session(own)
            session.headers.update(headers or {})
            session.proxies = own_proxies(own) or {}
            return session
        if self._session is None or self._session.settings is not self._client.settings:
            self._session = self._new_session()  # with an edited connection's headers, CA and proxy
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
            ``allow_redirects``, ``stream``, ``verify``, ``cert``, ``proxies``, ``total_timeout`` (seconds for
            the whole call; default none), ``cool_down``: ``wait`` (the default: for ``timeout`` at the most),
            ``fail`` or ``ignore``, while the API has asked all its callers to stay away.
        :param request_kwargs: further arguments of ``requests.Request``, e.g. ``json=…``.
        :raises ResourceError: when the API refuses (unless ``check_response`` is false).
        :raises OAuthError: when no token can be acquired; see :meth:`get_token`.
        """
        options = extra_options or {}
        self._client.read_for_token()  # before address and session are made of what the connection says
        session = self.get_conn(None, options)
        arguments = call_arguments(self.method, data, headers, request_kwargs)
        request = session.new_request(self.method, self.url_from_endpoint(endpoint), arguments)
        return self.run_and_check(session, session.prepare_request(request), options)

    def run_and_check(
        self, session: Any, prepped_request: PreparedRequest, extra_options: dict[Any, Any]
    ) -> Response:
        """Send a prepared request and check the response.

        :param extra_options: as of :meth:`run`.
        """
        started, checked = time.monotonic(), extra_options.get("check_response", True)
        response: Response = session.send(
            prepped_request,
            timeout=extra_options.get("timeout"),
            total_timeout=extra_options.get("total_timeout"),
            allow_redirects=extra_options.get("allow_redirects", True),
            stream=extra_options.get("stream", False),
            cool_down=extra_options.get("cool_down"),
            checked=checked,
        )
        log_call(self._client, self.method, response, started)
        if checked:
            self.check_response(response)
        return response

    def check_response(self, response: Response) -> None:
        """Raise for status 400 and above.

        :raises ResourceError: with method, address, status and the beginning of the body, redacted.
        """
        if response.status_code >= 400:
            raise refusal_of(response, self._client)

    def url_from_endpoint(self, endpoint: str | None) -> str:
        """Return the URL of an endpoint.

        :raises ConfigurationError: when the token may not go there.
        """
        try:
            return resolve_endpoint(self._auth.current_destination(), endpoint)
        except ConfigurationError as error:
            refused = error.for_connection(self.oauth2_conn_id)
        raise refused

    def run_with_advanced_retry(self, _retry_args: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        """Make a call, and repeat it while it fails.

        :param _retry_args: of ``tenacity.Retrying``: what is repeated, how often, and how long it waits.
        :param args: of :meth:`run`, like *kwargs*.
        :raises OAuthError: the last error, as :meth:`run` does (or tenacity's, without ``reraise``).
        :raises BaseException: what functions of *_retry_args* raise, without secrets.
        """
        retry_args = {"sleep": self._client.stop.sleep, **_retry_args}
        try:
            return super().run_with_advanced_retry(retry_args, *args, **kwargs)
        except BaseException as error:
            # The tokens that the calls have carried are known only now.
            raised = without_secrets(error, self.redactor, "retry_args")
            if raised is error:
                raise
        raise raised

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
        return connection_test.tested(self._client, self._new_session)

    def probe(self, token: AccessToken, *, listed_only: bool = True) -> connection_test.Probed | None:
        """GET ``probe_path`` with a token: at most 10 s, and no other token is asked for.

        :param token: that was just granted.
        :param listed_only: only where ``allowed_api_hosts`` lists the host of ``base_url``: Airflow's
            Test route takes that address from the person who presses Test.
        :return: the outcome; ``None`` where the connection has no ``probe_path``.
        :raises ResourceError: when the API refuses.
        """
        return connection_test.probe(self._client, token, self._new_session, listed_only=listed_only)

    def _new_session(self, own: dict[str, Any] | None = None) -> OAuth2Session:
        """Return a session.

        :param own: network options that DAG code chooses.
        """
        if self.adapter is not None:
            return OAuth2Session(self._auth, self.adapter)
        adapter = ConnectionAdapter(self._client, partial(self._network, own or {}))
        return OAuth2Session(self._auth, adapter)
