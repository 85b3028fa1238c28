"""What aiohttp's errors mean, in the words of :mod:`airflow_oauth_provider.transport.faults`."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
from aiohttp.http_exceptions import BadStatusLine, ContentEncodingError, LineTooLong, TransferEncodingError

from airflow_oauth_provider.protocol.http import Failure
from airflow_oauth_provider.transport.faults import (
    CUT,
    MALFORMED_CHUNKS,
    MALFORMED_HEAD,
    NOT_HTTP,
    TOO_LONG,
    UNDECODABLE,
    by_way_of,
    classify,
    links,
)
from airflow_oauth_provider.transport.proxies import Proxy
from airflow_oauth_provider.transport.response_parser import MalformedChunkError

NO_RESPONSE = (aiohttp.ClientError, OSError)
"""What aiohttp raises when a call brings no response; ``TimeoutError`` is an ``OSError``."""

_OF_AIOHTTP: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Failure], ...] = (
    (MalformedChunkError, MALFORMED_CHUNKS),
    (ContentEncodingError, UNDECODABLE),
    (LineTooLong, TOO_LONG),
    (BadStatusLine, NOT_HTTP),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, TransferEncodingError), CUT),
    (aiohttp.ClientResponseError, MALFORMED_HEAD),
)


def classify_async(error: BaseException, proxy: Proxy | None = None) -> Failure | None:
    """Say what went wrong.

    :param proxy: that the request went through.
    :return: ``None`` for an error that is none of the network's.
    """
    return by_way_of(proxy, list(links(error)), _classified(error))


def _classified(error: BaseException) -> Failure | None:
    causes = list(_causes(error))
    for kind, failure in _OF_AIOHTTP:
        if any(isinstance(link, kind) for link in causes):
            return failure
    for link in causes:
        if isinstance(link, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            # These are TLS errors themselves, without what the one they stand for says.
            return classify(link.__cause__ or link)
    if type(error) is aiohttp.ClientConnectionError:  # the connector was closed while it connected
        return classify(error) or CUT
    return classify(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
