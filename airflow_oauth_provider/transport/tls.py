"""TLS contexts, made once: loading the system's authorities takes some 15 ms each time."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path

from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.transport.sockets import BoundedSSLSocket

# What requests and OpenSSL programs obey, in the order in which requests looks.
_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def tls_context(network: NetworkSettings) -> ssl.SSLContext:
    """Return the context for these settings.

    The connection's own authorities win over those of the environment, which win over certifi's.
    """
    return _context(network.ca_certificates, _environment_bundle(), network.verify_tls)


def client_context(
    network: NetworkSettings, *, bundle: str | None, certificate: str | tuple[str, str] | None
) -> ssl.SSLContext:
    """Return a context for one caller's own bundle or client certificate (paths, from DAG code).

    :param bundle: path of a CA bundle; ``None`` for the authorities of :func:`tls_context`.
    :param certificate: path of a PEM with certificate and key, or of the two.
    """
    context = (
        _context.__wrapped__(None, bundle, True)
        if bundle
        else _context.__wrapped__(network.ca_certificates, _environment_bundle(), network.verify_tls)
    )
    if certificate:
        files = (certificate,) if isinstance(certificate, str) else certificate
        context.load_cert_chain(*files)
    return context


def _environment_bundle() -> str | None:
    return next((os.environ[name] for name in _BUNDLE_VARIABLES if os.environ.get(name)), None)


def check_ca_certificates(pem: str) -> None:
    """Try the connection's authorities.

    :raises ssl.SSLError: when OpenSSL cannot read them.
    """
    _context(pem, None, True)


@lru_cache(maxsize=32)
def _context(pem: str | None, bundle: str | None, verify: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = BoundedSSLSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif pem:
        # OpenSSL takes ASCII only. Names and comments around the certificates may have other letters.
        context.load_verify_locations(cadata=pem.encode("ascii", "replace").decode())
    else:
        _load_authorities(context, bundle)
    return context


def _load_authorities(context: ssl.SSLContext, bundle: str | None) -> None:
    if bundle and Path(bundle).is_dir():
        context.load_verify_locations(capath=bundle)
        return
    import certifi

    context.load_verify_locations(cafile=bundle or certifi.where())
