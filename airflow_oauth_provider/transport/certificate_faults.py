"""Why a server's certificate does not verify, and who can do something about it.

By the number that OpenSSL gives its reason (``X509_V_ERR_…`` in its documentation), which Python passes on.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import MappingProxyType

from airflow_oauth_provider.protocol.http import Failure, Fault

_EXPIRED = Failure(
    Fault.TLS_CERTIFICATE,
    "the certificate does not verify: it has expired, or one that stands above it",
    advice="have the server's administrator renew it; if others find it good, set this machine's clock",
)
_NOT_YET_VALID = Failure(
    Fault.TLS_CERTIFICATE,
    "the certificate does not verify: it is not valid yet, or one that stands above it",
    advice="check the clock of this machine; if it is right, ask the server's administrator",
)
_UNKNOWN_ISSUER = Failure(
    Fault.TLS_CERTIFICATE,
    "the certificate does not verify: none of the authorities that are trusted has issued it",
    advice="if a private authority issued it, put that authority's certificate into ca_certificates; if a "
    "public one did, have the server send the certificates in between, too",
)
_BY_CODE: Mapping[int, Failure] = MappingProxyType(
    {
        9: _NOT_YET_VALID,
        10: _EXPIRED,
        2: _UNKNOWN_ISSUER,
        18: _UNKNOWN_ISSUER,  # its own issuer
        19: _UNKNOWN_ISSUER,  # an authority that is sent along
        20: _UNKNOWN_ISSUER,
        21: _UNKNOWN_ISSUER,
    }
)
_OTHER_NAME = frozenset({62, 64})
"""A host name, an address."""


def certificate_failure(error: ssl.SSLCertVerificationError) -> Failure:
    """Say what is wrong with the certificate of a server, and what to do."""
    code: int = getattr(error, "verify_code", 0)
    if code in _BY_CODE:
        return _BY_CODE[code]
    reason = getattr(error, "verify_message", None) or "certificate verify failed"
    if code in _OTHER_NAME:
        return Failure(
            Fault.TLS_CERTIFICATE,
            f"the certificate does not verify: it is for another host ({reason.rstrip('.')})",
            advice="give the address by a name that the certificate has; if there is none, something else "
            "listens there, or the server's administrator has to have one issued for it",
        )
    return Failure(
        Fault.TLS_CERTIFICATE,
        f"the certificate does not verify: {reason}",
        advice="ask the server's administrator for one that does",
    )
