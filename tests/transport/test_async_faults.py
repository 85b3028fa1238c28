from __future__ import annotations

import errno
import socket
from typing import Any
from unittest.mock import create_autospec

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from aiohttp.http_exceptions import (
    BadStatusLine,
    ContentEncodingError,
    HttpProcessingError,
    LineTooLong,
    TransferEncodingError,
)
from yarl import URL

from airflow_oauth_provider.protocol.http import Fault
from airflow_oauth_provider.transport.async_faults import NO_RESPONSE, classify_async
from airflow_oauth_provider.transport.proxies import Proxy
from airflow_oauth_provider.transport.response_parser import MalformedChunkError
from airflow_oauth_provider.transport.tunnels import TunnelError

PROXY = Proxy("http://proxy.example:3128", "proxy_url", "proxy.example", 3128)
KEY: Any = create_autospec(ConnectionKey, instance=True, host="api.example", port=443, ssl=True)
REQUEST = RequestInfo(URL("https://api.example"), "GET", {}, URL("https://api.example"))  # type: ignore[arg-type]


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def unread(cause: Exception) -> Exception:
    """Return what aiohttp raises for a response that it cannot read."""
    error = aiohttp.ClientResponseError(REQUEST, (), status=400, message="x")
    return caused(error, caused(HttpProcessingError(code=400), cause))


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "x")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimeoutError(), Fault.TIMEOUT),
        (aiohttp.ServerDisconnectedError(), Fault.CUT),
        (aiohttp.ClientPayloadError("x"), Fault.CUT),
        (aiohttp.ClientConnectionError("Connector is closed."), Fault.CUT),
        (aiohttp.ClientResponseError(REQUEST, (), status=0, message="x"), Fault.MALFORMED),
        (unread(BadStatusLine("x")), Fault.MALFORMED),
        (unread(LineTooLong("x")), Fault.MALFORMED),
        (unread(TransferEncodingError("x")), Fault.CUT),
        (caused(aiohttp.ClientPayloadError("x"), MalformedChunkError("x")), Fault.CUT),
        (caused(aiohttp.ClientPayloadError("x"), ContentEncodingError("x")), Fault.MALFORMED),
        (caused(aiohttp.ClientConnectorError(KEY, REFUSED), REFUSED), Fault.UNREACHABLE),
        (
            caused(aiohttp.ClientConnectorDNSError(KEY, OSError("x")), socket.gaierror(-2, "x")),
            Fault.DNS,
        ),
    ],
)
def test_the_same_words_as_for_threads(error: Exception, fault: Fault) -> None:
    assert isinstance(error, NO_RESPONSE)
    failure = classify_async(error)
    assert failure is not None
    assert failure.fault is fault


def test_what_is_none_of_the_networks() -> None:
    assert classify_async(KeyError("x")) is None


@pytest.mark.fault("F63")
def test_the_proxy_is_named() -> None:
    unreached = caused(aiohttp.ClientProxyConnectionError(KEY, REFUSED), REFUSED)
    dead = classify_async(caused(TunnelError(None), unreached), PROXY)
    refused = classify_async(caused(aiohttp.ClientOSError(), TunnelError(407)), PROXY)
    cut = classify_async(caused(TunnelError(None), aiohttp.ServerDisconnectedError()), PROXY)
    through = classify_async(TimeoutError(), PROXY)
    assert dead is not None
    assert refused is not None
    assert cut is not None
    assert cut.detail.startswith("the proxy proxy.example:3128 (proxy_url) failed: the connection was cut")
    assert through is not None
    assert dead.detail.startswith("the proxy proxy.example:3128 (proxy_url) failed")
    assert refused.fault is Fault.PROXY_REFUSED
    assert (dead.field, refused.field, through.field) == ("proxy_url", "proxy_url", None)
