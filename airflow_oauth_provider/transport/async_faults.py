"""What aiohttp's errors mean, in the words of :mod:`airflow_oauth_provider.transport.faults`."""

from __future__ import annotations

import aiohttp

from airflow_oauth_provider.protocol.http import Failure, Fault
from airflow_oauth_provider.transport.faults import classify, tunnel_failure

NO_ANSWER = (aiohttp.ClientError, OSError)
"""What aiohttp raises when a call brings no answer; ``TimeoutError`` is an ``OSError``."""

_CUT = Failure(Fault.CUT, "the connection was cut before the answer was complete")


def classify_async(error: BaseException) -> Failure | None:
    """Say what went wrong.

    :return: ``None`` for an error that is none of the network's.
    """
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return tunnel_failure(str(error.status))
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return _CUT
    if isinstance(error, aiohttp.ClientResponseError):
        return Failure(Fault.MALFORMED, "its answer is not HTTP/1.1")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        # These are TLS errors themselves, without what the one they stand for says.
        return classify(error.__cause__ or error)
    return classify(error)
