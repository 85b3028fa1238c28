"""The message for a person who presses Test, and the probe behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from requests import Request

from airflow_oauth_provider.calls.access import OneTokenAuth
from airflow_oauth_provider.calls.options import FAIL
from airflow_oauth_provider.calls.refusals import refusal_of
from airflow_oauth_provider.calls.session import OAuth2Session
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.access_token import scopes_text
from airflow_oauth_provider.protocol.call.endpoints import destination, resolve_endpoint
from airflow_oauth_provider.protocol.call.instance import api_of
from airflow_oauth_provider.protocol.dpop.proof import DPOP
from airflow_oauth_provider.protocol.private_token import details_of
from airflow_oauth_provider.protocol.settings import ApiSettings, RequestSettings
from airflow_oauth_provider.protocol.texts import cut
from airflow_oauth_provider.protocol.token.authorization_details import not_granted
from airflow_oauth_provider.protocol.urls import UrlError, host_allowed
from airflow_oauth_provider.tokens import AccessToken

MAX_TEST_MESSAGE = 500
PROBE_TIMEOUT = 10.0
NewSession = Callable[[], OAuth2Session]


@dataclass(frozen=True)
class Probed:
    """What a probe that met no error came to.

    :param text: for people.
    :param sent: false where it was skipped.
    """

    text: str
    sent: bool = True

    def __str__(self) -> str:
        return self.text


def tested(client: OAuth2Client, new_session: NewSession) -> tuple[bool, str]:
    """Get a new token and, where that is safe, call ``probe_path``.

    :return: whether it worked, and a message for the person testing.
    """
    try:
        token = client.authorize()
        probed = probe(client, token, new_session, listed_only=True)
        worked, message = True, f"{describe(token, client.settings.request)} {probed or ''}"
    except OAuthError as error:
        # Airflow tests under a random connection id, which would only puzzle.
        worked, message = False, str(error.for_connection(""))
    except Exception as error:  # the caller shows whatever it is
        worked, message = False, f"{type(error).__name__}: {error}"
    return worked, cut(" ".join(client.redactor.text(message).split()), MAX_TEST_MESSAGE)


def probe(
    client: OAuth2Client, token: AccessToken, new_session: NewSession, *, listed_only: bool
) -> Probed | None:
    """GET ``probe_path`` with a token: at most 10 s, and no other token is asked for.

    :param token: that was just granted.
    :param listed_only: as of ``OAuth2Hook.probe``.
    :return: the outcome; ``None`` where the connection has no ``probe_path``.
    :raises ResourceError: when the API refuses.
    """
    api = _api_of(client, token)
    if api.probe_path is None or api.base_url is None:
        return None
    origin = api.base_url.origin
    if listed_only and (not api.listed_hosts or not host_allowed(origin, api.listed_hosts)):
        skipped = f"[oauth2] allowed_api_hosts in airflow.cfg does not list {origin.authority}"
        return Probed(f"The probe was skipped: {skipped}.", sent=False)
    url = resolve_endpoint(destination(api, None), api.probe_path)
    with new_session() as session:
        session.auth = OneTokenAuth(client, token)
        session.until = time.monotonic() + PROBE_TIMEOUT
        # Of the body nothing is needed but the beginning of a refusal, and it may be without end.
        response = session.send(
            session.prepare_request(Request("GET", url)),
            timeout=PROBE_TIMEOUT,
            stream=True,
            cool_down=FAIL,
        )
        try:
            if response.status_code >= 400:
                raise refusal_of(response, client, token.value)
        finally:
            response.close()
    return Probed(f"The probe answered HTTP status {response.status_code}.")


def _api_of(client: OAuth2Client, token: AccessToken) -> ApiSettings:
    try:
        return api_of(client.settings, token)
    except UrlError as error:
        refused = ConfigurationError(f"the token's instance_url {error}", field="allowed_origins")
    raise refused.for_connection(client.conn_id)


def describe(token: AccessToken, requested: RequestSettings | None = None) -> str:
    """Say what was granted and until when, for people.

    :param requested: what was asked for.
    """
    from datetime import UTC, datetime

    until = datetime.fromtimestamp(token.expires_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    scopes = f"scopes: {scopes_text(token)}" if token.scopes else "no scopes named"
    kind = f"{token.token_type}; " if token.token_type == DPOP else ""
    requested = requested or RequestSettings()
    missing = [scope for scope in requested.scope if scope not in token.scopes]
    missing += not_granted(requested.rich_requests, details_of(token))
    less = f" Asked for, but not granted: {' '.join(missing)}." if missing else ""
    return f"Authorized until {until} ({token.lifetime:.0f} s; {kind}{scopes}).{less}"
