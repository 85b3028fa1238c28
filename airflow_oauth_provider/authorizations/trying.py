"""Try an API: one GET with the connection's token, for a person who wants to see whether it is let in.

Whoever may edit connections must not learn by it what the network around Airflow looks like. So it
needs both allow-lists, calls the connection's own API alone, follows no redirect, and shows of the response
what it is; what stands in it only where the deployment says so.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from requests import Request, Response
from urllib3.exceptions import HTTPError

from airflow_oauth_provider.authorizations.unforeseen import unforeseen
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.calls.access import OneTokenAuth
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, TransportError
from airflow_oauth_provider.protocol.call.endpoints import resolve_endpoint
from airflow_oauth_provider.protocol.call.excerpts import MAX_MEDIA_TYPE, url_excerpt
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.texts import clean, excerpt
from airflow_oauth_provider.protocol.urls import host_allowed, parse_url
from airflow_oauth_provider.transport.deadlines import bounded

TIMEOUT = 10.0
"""Seconds for the whole call."""
MAX_PATH = 2000
"""Characters of a path."""
MAX_READ = 256 * 1024
"""Bytes of a body that are counted."""
MAX_SHOWN = 16 * 1024
"""Characters of a body that are shown."""
_CHUNK = 16 * 1024
_STEPS = frozenset({".", ".."})
# All that steers a terminal or turns the direction of a text, but line breaks and tabs.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class TrialResult:
    """What an API has answered; holds nothing secret.

    :param error: why there is no response; all else but *conn_id* and *url* is empty then.
    :param url: that was called, without the values of its query.
    :param content_type: of the response; *size* of its body in bytes.
    :param whole: the body ended within what is read; else *size* is what was read.
    :param body: its beginning, where the deployment shows it.
    """

    conn_id: str
    error: OAuthError | None = None
    url: str | None = None
    status: int | None = None
    reason: str | None = None
    content_type: str | None = None
    size: int = 0
    whole: bool = True
    body: str | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the API let the call in."""
        return self.status is not None and self.status < 400

    @property
    def message(self) -> str:
        """One line for people."""
        if self.status is None:
            return str(self.error.for_connection("")) if self.error else ""
        status = " ".join(filter(None, (str(self.status), self.reason)))
        size = f"{self.size} bytes" if self.whole else f"more than {self.size} bytes"
        redirect = " A redirect: it was not followed." if 300 <= self.status < 400 else ""
        return (
            f"GET {self.url} answered {status}: {self.content_type or 'no content type'}, {size}.{redirect}"
        )


def obstacle_to_trials(policy: Policy) -> str:
    """Return why nobody can try an API in this deployment; empty where one can."""
    options = {"allowed_token_hosts": policy.token_hosts, "allowed_api_hosts": policy.api_hosts}
    missing = [option for option, hosts in options.items() if not hosts]
    if not missing:
        return ""
    return (
        f"Switched off: without {' and '.join(missing)} in section [oauth2] of airflow.cfg, whoever may edit "
        "connections could call any host."
    )


def try_call(connection: Any, path: str) -> TrialResult:
    """GET a path of the connection's API with the token that tasks would use: at most 10 s.

    :param connection: saved under its id.
    :param path: relative to the base URL.
    """
    conn_id, began = str(connection.conn_id), time.monotonic()
    try:
        result = _Trial.of(connection, path).run()
    except OAuthError as error:
        return TrialResult(conn_id, error.for_connection(conn_id))
    except Exception as error:  # of whatever kind: the person sees a result
        return TrialResult(conn_id, unforeseen(error, conn_id, "tried"))
    return TrialResult(**{**vars(result), "seconds": time.monotonic() - began})


@dataclass(frozen=True)
class _Trial:
    client: OAuth2Client
    policy: Policy
    path: str

    @classmethod
    def of(cls, connection: Any, path: str) -> _Trial:
        """Check what is asked for, before anybody is asked anything.

        :raises ConfigurationError: when it is not allowed.
        """
        _check_path(path)
        values = ConnectionValues.of(connection)
        client = OAuth2Client(values.conn_id, values)
        settings = client.settings
        policy = read_policy()
        obstacle = obstacle_to_trials(policy)
        if obstacle:
            raise ConfigurationError(obstacle, field="allowed_api_hosts")
        policy = policy.for_client(settings)
        if settings.api.base_url is None and settings.api.instance is None:
            raise ConfigurationError("is empty: there is no API to try", field="base_url")
        return cls(client, policy, path)

    def run(self) -> TrialResult:
        """Make the call.

        :raises OAuthError: when there is no token, or no response.
        """
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        token = self.client.get_token()
        redactor = self.client.redactor.with_values(token.value)
        until = time.monotonic() + TIMEOUT
        with OAuth2Hook.using(self.client).get_conn() as session:
            session.auth = auth = OneTokenAuth(self.client, token)
            session.until = until
            url = resolve_endpoint(auth.destination_for(token), self.path)
            self._require_listed(url)
            prepared = session.prepare_request(Request("GET", url))
            response = session.send(
                prepared, timeout=TIMEOUT, stream=True, allow_redirects=False, cool_down="fail"
            )
            try:
                with bounded(until, self.client.stop):
                    return self._result(url, response, redactor)
            finally:
                response.close()

    def _require_listed(self, url: str) -> None:
        """Refuse a host that no list names, as that of an instance of which the token tells."""
        origin = parse_url(url).origin
        if not host_allowed(origin, self.policy.api_hosts):
            raise ConfigurationError(
                f"the host {origin.authority} is not in [oauth2] {self.policy.api_hosts_in} of airflow.cfg",
                field="base_url",
            )

    def _result(self, url: str, response: Response, redactor: Redactor) -> TrialResult:
        content_type = response.headers.get("Content-Type", "")
        body, whole = _read(response)
        return TrialResult(
            self.client.conn_id,
            url=url_excerpt(url, redactor),
            status=response.status_code,
            reason=clean(response.reason, redactor, most=100),
            content_type=clean(content_type, redactor, most=MAX_MEDIA_TYPE),
            size=len(body),
            whole=whole,
            body=_shown(body, redactor) if self.policy.show_api_answers else None,
        )


def _check_path(path: str) -> None:
    if not path.startswith("/") or path.startswith("//"):
        raise ConfigurationError("must be a path below the base URL, such as /v1/orders", field="path")
    if _STEPS & {unquote(segment) for segment in path.partition("?")[0].split("/")}:
        raise ConfigurationError("must not have . or .. between slashes: they lead elsewhere", field="path")
    if len(path) > MAX_PATH:
        raise ConfigurationError(f"must have at most {MAX_PATH} characters", field="path")


def _read(response: Response) -> tuple[bytes, bool]:
    """Read a body, so much of it as is counted; return with it whether that was all.

    :raises TransportError: when it ends too early.
    """
    raw: Any = response.raw
    body = bytearray()
    failed = False
    try:
        while len(body) <= MAX_READ and (chunk := raw.read(_CHUNK, decode_content=True)):
            body += chunk
    except (OSError, HTTPError):
        failed = True
    if failed:
        raise TransportError("the API's response broke off, or took too long", retryable=True)
    return bytes(body[:MAX_READ]), len(body) <= MAX_READ


def _shown(body: bytes, redactor: Redactor) -> str:
    """Return the beginning of a body as text, redacted before it is cut."""
    if b"\0" in body:
        return "(binary data)"
    text = body.decode("utf-8", "replace")
    return _STEERING.sub(" ", excerpt(text, MAX_SHOWN, redactor).replace("\r\n", "\n"))
