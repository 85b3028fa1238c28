"""Say what went wrong on the way, by the types in the chain of causes, never by text."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from airflow_oauth_provider.protocol.http import Failure, Fault
from airflow_oauth_provider.transport.sockets import AddressRefusedError

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
ADDRESS_REFUSED = Failure(
    Fault.ADDRESS_REFUSED,
    "the host resolves to a link-local or metadata address; allow-list it under [oauth2] in airflow.cfg if "
    "that is meant",
)


def classify(error: BaseException) -> Failure | None:
    """Say what went wrong, by the types in the chain of causes.

    :return: ``None`` for an error that is none of the network's (a defect of ours).
    """
    chain = list(_chain(error))
    for kind, found in _BY_TYPE:
        if any(isinstance(link, kind) for link in chain):
            return found
    for link in chain:
        if isinstance(link, ssl.SSLError):
            return _tls_failure(link)
        if isinstance(link, OSError) and "Tunnel connection failed" in str(link):
            return tunnel_failure(_tunnel_status(str(link)))
    return _plain_failure(chain)


def _tls_failure(error: ssl.SSLError) -> Failure:
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        return Failure(Fault.CUT, "the server closed the connection during TLS")
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or "certificate verify failed"
        return Failure(
            Fault.TLS_CERTIFICATE,
            f"its certificate does not verify: {reason}. If a private authority issued it, put that "
            "authority's certificate (PEM) into ca_certificates",
        )
    reason = (error.reason or "handshake failed").lower().replace("_", " ")
    return Failure(Fault.TLS, f"TLS could not be agreed upon ({reason}); at least TLS 1.2 is required")


def _tunnel_status(text: str) -> str:
    """Read the proxy's status, which the standard library gives in the text only."""
    return "".join(character for character in text.partition("failed:")[2][:6] if character.isdigit())


def tunnel_failure(status: str) -> Failure:
    """Say what a proxy's answer to CONNECT means.

    :param status: its HTTP status; empty when it is not known.
    """
    if status.startswith("5"):
        return Failure(Fault.UNREACHABLE, f"the proxy could not connect to it (HTTP status {status})")
    # A missing password is 407; for a wrong one some proxies say 401.
    advice = (
        "give the right credentials in the proxy's URL" if status in {"401", "407"} else "check its rules"
    )
    return Failure(
        Fault.PROXY_REFUSED, f"the proxy refused to connect (HTTP status {status or 'unknown'}): {advice}"
    )


def _plain_failure(chain: list[BaseException]) -> Failure | None:
    for link in chain:
        if isinstance(link, OSError) and link.errno in _EXHAUSTED:
            return Failure(Fault.LOCAL, "this machine has no free sockets or file descriptors")
    for link in chain:
        if isinstance(link, ConnectionRefusedError):
            return Failure(Fault.UNREACHABLE, "the connection was refused")
    for kind, failure in _BY_TYPE_LAST:
        if any(isinstance(link, kind) for link in chain):
            return failure
    return None


_BY_TYPE: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Failure], ...] = (
    (AddressRefusedError, ADDRESS_REFUSED),
    ((NameResolutionError, socket.gaierror), Failure(Fault.DNS, "its name could not be resolved")),
    ((TimeoutError, ReadTimeoutError), Failure(Fault.TIMEOUT, "it did not answer in time")),
    (http.client.IncompleteRead, Failure(Fault.CUT, "the answer was cut off")),
    (
        (http.client.LineTooLong, requests.exceptions.InvalidHeader),
        Failure(Fault.MALFORMED, "its answer has headers out of all measure"),
    ),
)
_BY_TYPE_LAST: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Failure], ...] = (
    (
        (http.client.RemoteDisconnected, ConnectionError),
        Failure(Fault.CUT, "the connection was cut before the answer was complete"),
    ),
    (
        (http.client.BadStatusLine, http.client.HTTPException),
        Failure(Fault.MALFORMED, "its answer is not HTTP/1.1"),
    ),
    (NewConnectionError, Failure(Fault.UNREACHABLE, "it could not be reached")),
    (ProtocolError, Failure(Fault.CUT, "the connection was cut before the answer was complete")),
    # The exceptions of requests are OSErrors too, so this one has to come near the end.
    (OSError, Failure(Fault.UNREACHABLE, "it could not be reached")),
    (HTTPError, Failure(Fault.MALFORMED, "its answer could not be read")),
)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk through causes, contexts and the errors that requests and urllib3 keep in ``args``."""
    pending, seen = [error], set()
    while pending:
        link = pending.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        pending += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
