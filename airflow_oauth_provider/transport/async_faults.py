"""What aiohttp's errors mean, in the words of :mod:`airflow_oauth_provider.transport.faults`."""

from __future__ import annotations

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, TransferEncodingError

from airflow_oauth_provider.protocol.http import Failure, Fault
from airflow_oauth_provider.transport.faults import UNDECODABLE, by_way_of, classify, tunnel_failure
from airflow_oauth_provider.transport.proxies import Proxy

NO_RESPONSE = (aiohttp.ClientError, OSError)
"""What aiohttp raises when a call brings no response; ``TimeoutError`` is an ``OSError``."""

_CUT = Failure(Fault.CUT, "the connection was cut before the response was complete")


def classify_async(error: BaseException, proxy: Proxy | None = None) -> Failure | None:
    """Say what went wrong.

    :param proxy: that the request went through.
    :return: ``None`` for an error that is none of the network's.
    """
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return tunnel_failure(error.status, proxy)
    failure = _classified(error)
    if failure is None or proxy is None:
        return failure
    return by_way_of(proxy, failure, at_fault=isinstance(error, aiohttp.ClientProxyConnectionError))


def _classified(error: BaseException) -> Failure | None:
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return UNDECODABLE
    cut = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError)
    if cut or isinstance(error.__cause__, TransferEncodingError):
        return _CUT
    if isinstance(error, aiohttp.ClientResponseError):
        return Failure(Fault.MALFORMED, "the response is not HTTP/1.1")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        # These are TLS errors themselves, without what the one they stand for says.
        return classify(error.__cause__ or error)
    if type(error) is aiohttp.ClientConnectionError:  # the connector was closed while it connected
        return classify(error) or _CUT
    return classify(error)
