"""What a TLS connection says of itself and of the server's certificates, for displays."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any


def tls_version(sock: Any) -> str:
    """Return the version that was agreed upon, such as ``TLSv1.3``."""
    return str(sock.version() or "")


def chain_ends_at(sock: ssl.SSLSocket) -> float | None:
    """Return when the first certificate of the server's chain ends (seconds since the epoch).

    Of the chain that was verified, the authority's own certificate included; ``None`` where none was.
    Before Python 3.13 the standard library has no public way to it: without, the server's own counts alone.
    """
    certificates = [dict(sock.getpeercert() or {})]
    with suppress(AttributeError, ValueError, ssl.SSLError):
        chain = sock._sslobj.get_verified_chain()  # type: ignore[attr-defined]  # noqa: SLF001
        certificates += [certificate.get_info() for certificate in chain]
    # Of a connection that is not verified the standard library reads no certificate: each is empty.
    ends = [str(entry["notAfter"]) for entry in certificates if "notAfter" in entry]
    return min(map(float, map(ssl.cert_time_to_seconds, ends)), default=None) if certificates[0] else None
