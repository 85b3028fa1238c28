"""A private certificate authority, and what it has issued."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Authority:
    """A certificate authority; leaves are issued by :func:`issue`."""

    name: str
    certificate: str
    key: ec.EllipticCurvePrivateKey


def _builder(
    name: str,
    issuer: str,
    *,
    expired: bool = False,
    not_before: dt.datetime | None = None,
    not_after: dt.datetime | None = None,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now - 10 * _DAY)
        .not_valid_after(not_after or (now - _DAY if expired else now + 10 * _DAY))
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@cache
def authority(name: str = "Test CA") -> Authority:
    """Return the authority of that name."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(name, _pem(certificate), key)


@cache
def issue(
    issuer: Authority, host: str = "127.0.0.1", *, expired: bool = False, early: bool = False
) -> Issued:
    """Issue a server certificate for one host name or address.

    :param early: it is valid from tomorrow on.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    certificate = (
        _builder(
            host,
            issuer.name,
            expired=expired,
            not_before=dt.datetime.now(dt.UTC) + _DAY if early else None,
        )
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
        .sign(issuer.key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Issued(_pem(certificate), private.decode())


def server_context(
    issued: Issued,
    folder: Path,
    *,
    maximum: ssl.TLSVersion | None = None,
    ask_for_client_certificate: bool = False,
) -> ssl.SSLContext:
    """Return a server's TLS context; the files go to *folder*.

    :param maximum: highest TLS version offered.
    :param ask_for_client_certificate: ask, but do not insist.
    """
    path = folder / "server.pem"
    path.write_text(issued.key + issued.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if maximum is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = maximum
    if ask_for_client_certificate:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=issued.certificate)
    return context


def issue_client(
    issuer: Authority | None = None,
    name: str = "my-client",
    *,
    key: PrivateKey | None = None,
    days: tuple[float, float] = (-10, 10),
) -> Issued:
    """Issue a client certificate.

    :param issuer: ``None`` for one that is signed with its own key.
    :param key: ``None`` for a new EC key.
    :param days: from now, between which it is valid.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    certificate = (
        _builder(
            name,
            issuer.name if issuer else name,
            not_before=now + days[0] * _DAY,
            not_after=now + days[1] * _DAY,
        )
        .public_key(key.public_key())
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Issued(_pem(certificate), private.decode())


def demanding_context(issued: Issued, folder: Path, *clients: str) -> ssl.SSLContext:
    """Return the context of a server that wants a client certificate.

    :param clients: PEM of authorities, or of certificates that are signed with their own key.
    """
    context = server_context(issued, folder)
    context.verify_mode = ssl.CERT_REQUIRED
    # Else OpenSSL wants the issuer of each of them, too.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata="".join(clients))
    return context


def bundle(issued: Issued, passphrase: bytes, *issuers: str) -> bytes:
    """Return key and certificate of a client in one PKCS#12 file, with the certificates of its issuers."""
    key = serialization.load_pem_private_key(issued.key.encode(), None)
    certificate = x509.load_pem_x509_certificate(issued.certificate.encode())
    others = [x509.load_pem_x509_certificate(issuer.encode()) for issuer in issuers]
    locked = serialization.BestAvailableEncryption(passphrase)
    return serialize_key_and_certificates(b"client", key, certificate, others, locked)  # type: ignore[arg-type]


def pkcs12(passphrase: bytes, *, not_after: dt.datetime) -> bytes:
    """Return an EC key and its certificate in one file, as certificate stores export them."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("client", "client", not_after=not_after).public_key(key.public_key())
    certificate = builder.sign(key, hashes.SHA256())
    locked = serialization.BestAvailableEncryption(passphrase)
    return serialize_key_and_certificates(b"client", key, certificate, None, locked)
