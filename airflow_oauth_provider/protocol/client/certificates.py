"""A client's certificate, held against its key and the date (RFC 8705, RFC 5280 §4.1.2.5).

It stands in a field of its own, or lies with the private key (PEM, PKCS#12). Several may stand there, in any
order: the client's own is the one that has its key, and the others are of those who issued it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, load_signing_key
from airflow_oauth_provider.protocol.texts import clean

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from airflow_oauth_provider.protocol.secret import Secret
    from airflow_oauth_provider.protocol.settings import AssertionSettings

MAX_LENGTH = 64 * 1024
"""Characters of the longest chain."""


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate that has been held against its key.

    :param chain: PEM; the client's own comes first.
    :param where: the connection's field in which it stands.
    :param subject: its name, as RFC 4514 writes it.
    :param thumbprint: ``x5t#S256``.
    :param begins_at: seconds since the epoch, as *expires_at*.
    """

    chain: str = field(repr=False)
    where: str
    subject: str
    thumbprint: str
    begins_at: float
    expires_at: float

    def require_valid(self, now: float) -> None:
        """Refuse it where no server would accept it.

        :param now: seconds since the epoch.
        :raises KeyMaterialError: when it has expired, or is not valid yet.
        """
        if now > self.expires_at:
            reason = f"expired on {_date(self.expires_at)}: put the renewed one here"
        elif now < self.begins_at:
            reason = f"is not valid before {_date(self.begins_at)}"
        else:
            return
        raise KeyMaterialError(f"the client certificate {reason}", self.where)


def certificate_of(settings: AssertionSettings, *, thorough: bool = True) -> ClientCertificate | None:
    """Return the certificate of a client's key; parsed once.

    :param thorough: as of :func:`load_signing_key`.
    :return: ``None`` where there is none.
    :raises KeyMaterialError: when it or the key cannot be read, or the two do not belong together.
    """
    if settings.private_key is None:
        return None
    load_signing_key(settings.private_key, settings.private_key_passphrase, thorough=thorough)
    return _load(settings.certificate, settings.private_key, settings.private_key_passphrase)


@lru_cache(maxsize=512)
def _load(pem: str | None, key: Secret, passphrase: Secret | None) -> ClientCertificate | None:
    signing_key = load_signing_key(key, passphrase, thorough=False)
    certificates = signing_key.certificates if pem is None else _parsed(pem)
    if not certificates:
        return None
    where = "private_key" if pem is None else "certificate"
    public = signing_key.key.public_key()
    own = next((certificate for certificate in certificates if _is_of(certificate, public)), None)
    if own is None:
        end = _date(certificates[0].not_valid_after_utc.timestamp())
        raise KeyMaterialError(
            f"the certificate {_name(certificates[0])} (valid until {end}) is not of this private key: its "
            "public key is another",
            where,
        )
    return ClientCertificate(
        chain=_pem((own, *(certificate for certificate in certificates if certificate is not own))),
        where=where,
        subject=_name(own),
        thumbprint=_thumbprint(own),
        begins_at=own.not_valid_before_utc.timestamp(),
        expires_at=own.not_valid_after_utc.timestamp(),
    )


def _parsed(text: str) -> tuple[Certificate, ...]:
    """Read a PEM.

    :raises KeyMaterialError: when it is none; it repeats nothing of it.
    """
    from cryptography import x509

    if len(text) > MAX_LENGTH:
        raise KeyMaterialError(f"is longer than {MAX_LENGTH // 1024} KiB", "certificate")
    try:
        return tuple(x509.load_pem_x509_certificates(text.encode(errors="replace")))
    except ValueError:
        pass
    raise KeyMaterialError(
        "is no certificate in PEM form (-----BEGIN CERTIFICATE-----); a PKCS#12 file goes, as Base64, into "
        "private_key",
        "certificate",
    )


def _is_of(certificate: Certificate, public_key: object) -> bool:
    try:
        return bool(certificate.public_key() == public_key)
    except ValueError:  # a key of a kind that nobody knows
        return False


def _pem(certificates: tuple[Certificate, ...]) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)


def _name(certificate: Certificate) -> str:
    try:
        return clean(certificate.subject.rfc4514_string()) or "without a name"
    except ValueError:
        return "without a readable name"


def _thumbprint(certificate: Certificate) -> str:
    """RFC 7515 §4.1.8, RFC 8705 §3.1."""
    from cryptography.hazmat.primitives.serialization import Encoding

    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
