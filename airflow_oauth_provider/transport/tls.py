"""TLS contexts, made once for equal settings: loading authorities takes some 15 ms each time, a key 30 ms."""

from __future__ import annotations

import os
import re
import ssl
import stat
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import NetworkSettings, PresentedCertificate
from airflow_oauth_provider.protocol.texts import cut, plain
from airflow_oauth_provider.transport.client_certificate import present
from airflow_oauth_provider.transport.sockets import BoundedSSLSocket

# What requests and OpenSSL programs obey, in the order in which requests looks.
_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_BY_HASH = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_LONGEST_PATH = 300
_LARGEST_BUNDLE = 16 * 2**20
_making = threading.Lock()
"""Held while a context is made: of threads that want the same one at once, one makes it."""


class Bundle(NamedTuple):
    """A file or folder of authorities, as it is now: a file that is renewed is another bundle.

    :param source: what names it: an environment variable or an argument.
    """

    path: str
    source: str
    modified_at: int
    size: int


def tls_context(network: NetworkSettings) -> ssl.SSLContext:
    """Return the context for these settings.

    The connection's own authorities win over those of the environment, which win over certifi's.

    :raises ConfigurationError: when the environment names a bundle that cannot be used, or the client
        certificate cannot be used.
    """
    authorities = _authorities(network)
    with _making:
        return _context(*authorities, network.certificate)


def _authorities(network: NetworkSettings) -> tuple[str | None, Bundle | None, bool]:
    if network.ca_certificates or not network.verify_tls:
        return network.ca_certificates, None, network.verify_tls
    return None, _environment_bundle(), True


@lru_cache(maxsize=1)
def bare_context() -> ssl.SSLContext:
    """Return the context where nothing is encrypted: it knows no authority, so that none is looked for."""
    return _new_context()


def context_for_redirects(network: NetworkSettings) -> ssl.SSLContext:
    """Return the context where nothing is encrypted, unless a redirect leads to another host.

    A bundle that cannot be used is no error then: most calls never need one.
    """
    with suppress(ConfigurationError):
        return tls_context(network)
    return bare_context()


def client_context(
    network: NetworkSettings, *, bundle: str | None, certificate: str | tuple[str, str] | None
) -> ssl.SSLContext:
    """Return a context for one caller's own bundle or client certificate (paths, from DAG code).

    :param bundle: path of a CA bundle; ``None`` for the authorities of :func:`tls_context`.
    :param certificate: path of a PEM with certificate and key, or of the two.
    :raises ConfigurationError: when one of them cannot be used, or the connection has a certificate itself.
    """
    if certificate and network.certificate is not None:
        raise ConfigurationError(
            "a call cannot present another client certificate than the connection's: its tokens are bound to "
            "that one (RFC 8705)",
            field="cert",
        )
    authorities = (None, _bundle(bundle, "verify"), True) if bundle else _authorities(network)
    context = _context.__wrapped__(*authorities, network.certificate)
    if certificate:
        _load_client_certificate(context, (certificate,) if isinstance(certificate, str) else certificate)
    return context


def _load_client_certificate(context: ssl.SSLContext, files: tuple[str, ...]) -> None:
    reason = next((reason for file in files if (reason := _why_unreadable(file))), None)
    try:
        if reason is None:
            # Without a function OpenSSL would ask the terminal for the passphrase of an encrypted key.
            context.load_cert_chain(*files, password=lambda: "")  # type: ignore[misc]
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = type(error).__name__
    if reason is not None:
        raise ConfigurationError(
            f"names {_path_text(' and '.join(map(str, files)))}, where no PEM with a certificate and its "
            f"unencrypted key can be read ({reason})",
            field="cert",
        )


def _environment_bundle() -> Bundle | None:
    name = next((name for name in _BUNDLE_VARIABLES if os.environ.get(name)), None)
    return None if name is None else _bundle(os.environ[name], name)


def _bundle(path: str, source: str) -> Bundle:
    """Look at a bundle's file or folder.

    :raises ConfigurationError: when there is none.
    """
    reason = _why_unreadable(path)
    if reason is not None:
        raise _unusable(path, source, reason)
    status = Path(path).stat()
    return Bundle(path, source, status.st_mtime_ns, status.st_size)


def _why_unreadable(path: str) -> str | None:
    """Return why a file or folder cannot be read; reading a pipe might never end."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError, TypeError) as error:
        return type(error).__name__
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return "neither file nor folder"
    return f"larger than {_LARGEST_BUNDLE // 2**20} MiB" if status.st_size > _LARGEST_BUNDLE else None


def _unusable(path: str, source: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"names {_path_text(path)}, from which no CA certificates in PEM form can be read ({reason})",
        field=source,
    )


def _path_text(path: str) -> str:
    return cut(plain(path), _LONGEST_PATH)


def check_ca_certificates(pem: str) -> None:
    """Try the connection's authorities.

    :raises ssl.SSLError: when OpenSSL cannot read them.
    """
    with _making:
        _context(pem, None, True, None)


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = BoundedSSLSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@lru_cache(maxsize=64)
def _context(
    pem: str | None, bundle: Bundle | None, verify: bool, certificate: PresentedCertificate | None
) -> ssl.SSLContext:
    context = _new_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif pem:
        # OpenSSL takes ASCII only. Names and comments around the certificates may have other letters.
        context.load_verify_locations(cadata=pem.encode("ascii", "replace").decode())
    else:
        _load_authorities(context, bundle)
    if certificate is not None:
        present(context, certificate)
    return context


def _load_authorities(context: ssl.SSLContext, bundle: Bundle | None) -> None:
    if bundle is None:
        import certifi

        context.load_verify_locations(cafile=certifi.where())
        return
    try:
        if not Path(bundle.path).is_dir():
            context.load_verify_locations(cafile=bundle.path)
            return
        context.load_verify_locations(capath=bundle.path)
        # OpenSSL looks into a folder when it needs an authority, and says nothing of one that has none.
        if any(_BY_HASH.fullmatch(entry.name) for entry in Path(bundle.path).iterdir()):
            return
        reason = "no file in the folder has the name that openssl rehash gives it"
    except OSError as error:  # ssl.SSLError is one
        reason = type(error).__name__
    raise _unusable(bundle.path, bundle.source, reason)


def _reset_after_fork() -> None:
    global _making  # noqa: PLW0603  (the inherited lock may be held by a thread that is gone)
    _making = threading.Lock()


os.register_at_fork(after_in_child=_reset_after_fork)
