"""Certificates of clients, from an authority or self-signed (RFC 8705 §2.1 and §2.2)."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode, urlsafe_b64encode
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from jwt.algorithms import get_default_algorithms

from tests.support.servers.certificates import Authority, Issued

_DAY = dt.timedelta(days=1)


def client_certificate(name: str, issuer: Authority | None = None) -> Issued:
    """Return a client's certificate and key: of an authority on P-256, self-signed with RSA.

    :param name: its subject's common name, and its DNS name.
    :param issuer: ``None`` for a self-signed one.
    """
    key: Any = (
        ec.generate_private_key(ec.SECP256R1())
        if issuer
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer.name if issuer else name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 10 * _DAY)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Issued(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())


def registered_jwk(certificate: str) -> dict[str, Any]:
    """Return what a self-signed client registers: its public key with the certificate (RFC 8705 §2.2.2)."""
    read = x509.load_pem_x509_certificate(certificate.encode())
    jwk: dict[str, Any] = get_default_algorithms()["RS256"].to_jwk(read.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, "x5c": [b64encode(read.public_bytes(serialization.Encoding.DER)).decode()]}


def thumbprint(certificate: str) -> str:
    """Return ``x5t#S256`` (RFC 8705 §3.1)."""
    digest = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256())
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
