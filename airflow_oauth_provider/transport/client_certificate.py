"""A client certificate and its key, put into a TLS context.

``ssl`` reads them from a file only. So the file is one that lies in memory and has no name (Linux:
``memfd_create``). Elsewhere it is one that only this user can read, the key in it is encrypted with a
password that is used once, and the file is removed at once: who is killed meanwhile leaves nothing of use.
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, load_signing_key
from airflow_oauth_provider.protocol.settings import PresentedCertificate

_NAME = "oauth2-client-certificate"


def present(context: ssl.SSLContext, certificate: PresentedCertificate) -> None:
    """Have a context present *certificate* to servers that ask for one.

    :raises ConfigurationError: when OpenSSL does not take it.
    """
    reason = _why_not(context, certificate)
    if reason is not None:
        raise ConfigurationError(
            f"the client certificate cannot be used for TLS ({reason})",
            field="certificate",
        )
    # Servers that want a certificate for some paths only ask for it after the handshake (RFC 8446 §4.6.2).
    context.post_handshake_auth = True


def _why_not(context: ssl.SSLContext, certificate: PresentedCertificate) -> str | None:
    """Load it, and return why that failed: the errors and frames below have the key in them."""
    try:
        with _file(certificate) as (path, password):
            context.load_cert_chain(path, password=password)
    except KeyMaterialError as error:
        return str(error)
    except ssl.SSLError as error:
        return (error.reason or type(error).__name__).lower().replace("_", " ")
    except OSError as error:
        return type(error).__name__
    return None


@contextmanager
def _file(certificate: PresentedCertificate) -> Iterator[tuple[str, str]]:
    """Yield the path of a file with both, and the password of the key in it."""
    descriptor = _file_in_memory()
    path = "" if descriptor is None else f"/proc/self/fd/{descriptor}"
    password = "" if descriptor is not None else secrets.token_urlsafe(32)
    try:
        if descriptor is None:
            descriptor, path = tempfile.mkstemp(prefix=_NAME)  # mode 0600, and nobody else's
        os.set_inheritable(descriptor, False)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(_pem(certificate, password))
        yield path, password
    finally:
        if descriptor is not None:
            os.close(descriptor)
        if password and path:
            Path(path).unlink()


def _file_in_memory() -> int | None:
    """Return a new file without a name; ``None`` where there are none, or where OpenSSL could not open it."""
    if not hasattr(os, "memfd_create"):
        return None
    try:
        descriptor = os.memfd_create(_NAME)
    except OSError:
        return None
    if Path(f"/proc/self/fd/{descriptor}").exists():
        return descriptor
    os.close(descriptor)
    return None


def _pem(certificate: PresentedCertificate, password: str) -> bytes:
    """Return both, the key encrypted if there is a *password*.

    :raises KeyMaterialError: when the key cannot be read.
    """
    from cryptography.hazmat.primitives import serialization

    locked = serialization.BestAvailableEncryption(password.encode()) if password else None
    key = load_signing_key(certificate.private_key, certificate.private_key_passphrase).key
    data: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        locked or serialization.NoEncryption(),
    )
    return certificate.chain.encode() + data
