"""Send one request to an authorization server; every way in which it can fail comes back as a value."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.transport.adapter import OneRequestAdapter
from airflow_oauth_provider.transport.deadlines import bounded
from airflow_oauth_provider.transport.faults import classify
from airflow_oauth_provider.transport.proxies import Proxy, proxy_for
from airflow_oauth_provider.transport.sockets import CONNECT_TIMEOUT
from airflow_oauth_provider.transport.stopping import NEVER, Stop
from airflow_oauth_provider.transport.tls import bare_context, tls_context

MAX_BODY = 256 * 1024
_FETCH_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "airflow-oauth-provider",
}


def post(
    request: TokenRequest, network: NetworkSettings, *, deadline_at: float, stop: Stop = NEVER
) -> HttpResponse | Failure:
    """POST *request*, read the response whole, and close the connection.

    Each attempt has a connection of its own: token requests are rare, and one that failed must
    not meet the connection it failed on. No redirect is followed and nothing is decompressed.

    :param deadline_at: monotonic seconds at which this returns a timeout, whatever the server does.
    :param stop: ends it sooner.
    :raises TaskStoppedError: then.
    """
    return _transmit("POST", request.url, dict(request.headers), request.body, network, deadline_at, stop)


def fetch(
    url: str, network: NetworkSettings, *, deadline_at: float, stop: Stop = NEVER
) -> HttpResponse | Failure:
    """GET *url*, at most 256 KiB of it, and follow no redirect.

    :param deadline_at: monotonic seconds at which this returns a timeout.
    :param stop: ends it sooner.
    :raises TaskStoppedError: then.
    """
    return _transmit("GET", url, _FETCH_HEADERS, None, network, deadline_at, stop)


def _transmit(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    network: NetworkSettings,
    deadline_at: float,
    stop: Stop,
) -> HttpResponse | Failure:
    """Send any one request as :func:`post` does.

    :raises ConfigurationError: when a proxy or a CA bundle of the environment cannot be used.
    """
    proxy = proxy_for(url, network)
    encrypted = urlsplit(url).scheme == "https"
    context = tls_context(network) if encrypted else bare_context()
    adapter = OneRequestAdapter(
        context,
        proxy_context=tls_context(network.elsewhere) if proxy and proxy.encrypted else None,
        any_address=lambda _host, _port: network.token_host_listed,
        pool_size=1,
    )
    prepared: requests.PreparedRequest | None = None
    try:
        prepared = _prepared(method, url, headers, body)
        with bounded(deadline_at, stop):
            return _exchange(adapter, prepared, proxy, deadline_at)
    except OAuthError:  # the caller's task is being killed
        raise
    except Exception as error:
        failure = classify(error, proxy) if prepared is not None else None
        # What is no fault of the network is one of ours, and its text may repeat the request.
        dull = Failure(Fault.INTERNAL, f"the request could not be sent ({type(error).__name__})")
    finally:
        adapter.close()
    return failure or dull


def _prepared(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> requests.PreparedRequest:
    """Prepare a request without what ``requests`` looks for in cookies, files, hooks and logins."""
    prepared = requests.PreparedRequest()
    prepared.prepare_method(method)
    prepared.url = _prepared_url(url)
    prepared.prepare_headers(headers)
    prepared.body = body
    prepared.prepare_content_length(body)
    return prepared


@lru_cache(maxsize=128)
def _prepared_url(url: str) -> str:
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url or url


def _exchange(
    adapter: HTTPAdapter, prepared: requests.PreparedRequest, proxy: Proxy | None, deadline_at: float
) -> HttpResponse | Failure:
    left = max(0.001, deadline_at - time.monotonic())
    response = adapter.send(
        prepared,
        stream=True,
        timeout=(min(CONNECT_TIMEOUT, left), left),
        proxies=proxy.mapping() if proxy else {},
    )
    try:
        body = bytearray()
        while chunk := response.raw.read(MAX_BODY + 1 - len(body), decode_content=False):
            body += chunk
            if len(body) > MAX_BODY:
                return Failure(Fault.MALFORMED, f"the response is larger than {MAX_BODY // 1024} KiB")
            if response.raw.length_remaining == 0:  # another read would only say that this was the end
                break
        headers = tuple((name.lower(), value) for name, value in response.raw.headers.iteritems())
        return HttpResponse(response.status_code, headers, bytes(body))
    finally:
        response.close()
