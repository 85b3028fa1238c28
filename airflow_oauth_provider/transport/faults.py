"""Say what went wrong on the way, by the types in the chain of causes, never by text."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import requests
from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
)

from airflow_oauth_provider.protocol.call.refusal import passes
from airflow_oauth_provider.protocol.http import Failure, Fault
from airflow_oauth_provider.transport.certificate_faults import certificate_failure
from airflow_oauth_provider.transport.proxies import Proxy
from airflow_oauth_provider.transport.response_parser import MalformedChunkError
from airflow_oauth_provider.transport.sockets import AddressRefusedError
from airflow_oauth_provider.transport.tunnels import TunnelError

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
ADDRESS_REFUSED = Failure(
    Fault.ADDRESS_REFUSED,
    "the host name resolves to an address that no server has (link-local, metadata, reserved)",
    advice="if that is meant, allow-list the host under [oauth2] in airflow.cfg; localhost must be loopback",
)


def classify(error: BaseException, proxy: Proxy | None = None) -> Failure | None:
    """Say what went wrong, by the types in the chain of causes.

    :param proxy: that the request went through.
    :return: ``None`` for an error that is none of the network's (a defect of ours).
    """
    chain = list(links(error))
    return by_way_of(proxy, chain, _failure(chain))


def by_way_of(proxy: Proxy | None, chain: list[BaseException], failure: Failure | None) -> Failure | None:
    """Name the proxy in a failure: as at fault where it itself failed, else it may be either of the two.

    :param chain: of the error.
    """
    tunnel = next((link for link in chain if isinstance(link, TunnelError)), None)
    if tunnel is not None and tunnel.status is not None:
        return tunnel_failure(tunnel.status, proxy, tunnel.retry_after)
    if failure is None or proxy is None:
        return failure
    at_fault = any(isinstance(link, _OF_THE_PROXY) for link in chain)
    if at_fault:
        return replace(failure, detail=f"the proxy {proxy} failed: {failure.detail}", field=proxy.source)
    return replace(failure, detail=f"{failure.detail} (through the proxy {proxy})")


def _failure(chain: list[BaseException]) -> Failure | None:
    for kind, failure in _BY_TYPE:
        if any(isinstance(link, kind) for link in chain):
            return failure
    for link in chain:
        # asyncio leaves these two in the context of whatever ends a handshake.
        if isinstance(link, ssl.SSLError) and not isinstance(
            link, ssl.SSLWantReadError | ssl.SSLWantWriteError
        ):
            return _tls_failure(link)
    return _plain_failure(chain)


def _tls_failure(error: ssl.SSLError) -> Failure:
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        return CUT
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificate_failure(error)
    reason = error.reason or "HANDSHAKE_FAILED"
    meaning, advice = _MEANING_OF_ALERT.get(reason, ("at least TLS 1.2 is required", None))
    words = reason.lower().replace("_", " ")
    return Failure(Fault.TLS, f"TLS could not be agreed upon ({words}); {meaning}", advice=advice)


def tunnel_failure(status: int, proxy: Proxy | None, retry_after: float | None = None) -> Failure:
    """Say what a proxy's response to CONNECT means.

    :param status: its HTTP status; what passes for a server passes for a proxy, too.
    :param retry_after: seconds that it asks to wait, if it does.
    """
    name = f"the proxy {proxy}" if proxy else "the proxy"
    if status >= 500:
        failed = Failure(Fault.UNREACHABLE, f"{name} could not connect to the server (HTTP status {status})")
        return replace(failed, retry_after=retry_after)
    refused = Failure(Fault.PROXY_REFUSED, f"{name} refused to connect (HTTP status {status})")
    if passes(status):
        return replace(refused, fault=Fault.UNREACHABLE, retry_after=retry_after)
    # A missing password is 407; for a wrong one some proxies say 401.
    advice = "give the right credentials in the proxy's URL" if status in {401, 407} else "check its rules"
    return replace(refused, field=proxy.source if proxy else None, advice=advice)


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


# What the alerts of RFC 8446 §6.2 and RFC 5246 §7.2.2 mean to a client: they are about its own certificate.
_WANTS = "the server wants a client certificate (mutual TLS)"
_REFUSES = "the server refuses the client certificate"
_PRESENT = (
    "choose an authentication method with a client certificate and fill in certificate and private_key; a "
    "server may also have another address for clients without one"
)
_ISSUED = "have it issued by an authority that the server trusts, and put the chain into certificate"
_RENEW = "renew it, and put the new one into certificate and private_key"
_REGISTER = "compare it with what is registered at the server"
_NO_TLS = (
    "what listens there does not speak TLS",
    "check the port; a token server on this machine may be http://…, any other needs https",
)
_MEANING_OF_ALERT: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # What OpenSSL, by its version, says of a response in plain HTTP.
        "WRONG_VERSION_NUMBER": _NO_TLS,
        "RECORD_LAYER_FAILURE": _NO_TLS,
        "HTTP_REQUEST": _NO_TLS,
        "TLSV13_ALERT_CERTIFICATE_REQUIRED": (_WANTS, _PRESENT),
        "SSLV3_ALERT_NO_CERTIFICATE": (_WANTS, _PRESENT),
        "SSLV3_ALERT_HANDSHAKE_FAILURE": (
            "the server may want a client certificate (mutual TLS), or offers nothing that TLS 1.2 accepts",
            _PRESENT,
        ),
        "SSLV3_ALERT_BAD_CERTIFICATE": (f"{_REFUSES}, or perhaps wants one", _REGISTER),
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": (
            f"{_REFUSES}: it takes none of this kind",
            "ask which kinds of key it takes, and whether it must be marked for client authentication",
        ),
        "SSLV3_ALERT_CERTIFICATE_REVOKED": (f"{_REFUSES}: it has been revoked", _RENEW),
        "SSLV3_ALERT_CERTIFICATE_EXPIRED": (f"{_REFUSES}: it has expired by the server's clock", _RENEW),
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN": (_REFUSES, _REGISTER),
        "TLSV1_ALERT_UNKNOWN_CA": (f"{_REFUSES}: it does not know the authority that issued it", _ISSUED),
        "TLSV1_ALERT_ACCESS_DENIED": (f"{_REFUSES}: it may not be used here", _REGISTER),
        "TLSV1_ALERT_DECRYPT_ERROR": (_REFUSES, _REGISTER),
    }
)
_OF_THE_PROXY = (ProxyError, requests.exceptions.ProxyError, TunnelError)
CUT = Failure(Fault.CUT, "the connection was cut before the response was complete")
MALFORMED_CHUNKS = Failure(Fault.CUT, "the chunks in which the response was sent are malformed")
NOT_HTTP = Failure(Fault.MALFORMED, "the response is not HTTP/1.1")
MALFORMED_HEAD = Failure(Fault.MALFORMED, "the headers of the response are malformed")
TOO_LONG = Failure(Fault.MALFORMED, "the response has headers out of all measure")
UNDECODABLE = Failure(
    Fault.MALFORMED, "the body of the response is not what its Content-Encoding says, and cannot be decoded"
)
_BY_TYPE: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Failure], ...] = (
    (AddressRefusedError, ADDRESS_REFUSED),
    ((NameResolutionError, socket.gaierror), Failure(Fault.DNS, "the host name could not be resolved")),
    ((TimeoutError, ReadTimeoutError), Failure(Fault.TIMEOUT, "the request timed out")),
    (MalformedChunkError, MALFORMED_CHUNKS),
    (http.client.IncompleteRead, CUT),
    ((DecodeError, requests.exceptions.ContentDecodingError), UNDECODABLE),
    (http.client.LineTooLong, TOO_LONG),
    (requests.exceptions.InvalidHeader, MALFORMED_HEAD),
)
_BY_TYPE_LAST: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Failure], ...] = (
    ((http.client.RemoteDisconnected, ConnectionError), CUT),
    ((http.client.BadStatusLine, http.client.UnknownProtocol), NOT_HTTP),
    (http.client.HTTPException, MALFORMED_HEAD),
    (NewConnectionError, Failure(Fault.UNREACHABLE, "no connection could be made")),
    (ProtocolError, CUT),
    # The exceptions of requests are OSErrors too, so this one has to come near the end.
    (OSError, Failure(Fault.UNREACHABLE, "no connection could be made")),
    (HTTPError, Failure(Fault.MALFORMED, "the response could not be read")),
)


def links(error: BaseException | None) -> Iterator[BaseException]:
    """Walk through causes, contexts and the errors that requests and urllib3 keep in ``args``."""
    pending, seen = [error], set()
    while pending:
        link = pending.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        pending += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
