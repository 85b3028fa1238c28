"""Signing keys: PEM, PKCS#12 or JWK in, a checked key and its algorithm out.

RFC 7518 §3 (algorithms and key sizes), RFC 8037 (EdDSA), RFC 8725 §3.1 (a key is bound to its
algorithm), RFC 7515 §4.1.8 (``x5t#S256``). Parsing an RSA key takes some 28 ms, a signature 0.2 ms,
so parsed keys are remembered.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_value

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MIN_RSA_BITS = 2048
ASYMMETRIC_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


class KeyMaterialError(ValueError):
    """The key cannot be used; the message never contains any of it.

    :param field: the connection field at fault.
    """

    def __init__(self, message: str, field: str = "private_key") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class SigningKey:
    """A private key that is good for *algorithms* (the first is the default).

    :param key_id: the JWK's own ``kid``, if it had one.
    :param thumbprint: ``x5t#S256`` of the certificate that came with the key, if any did.
    :param certificate_expires_at: when that certificate ends (seconds since the epoch).
    """

    key: Any = field(repr=False)
    algorithms: tuple[str, ...]
    key_id: str | None = None
    thumbprint: str | None = None
    certificate_expires_at: float | None = None


@lru_cache(maxsize=512)
def load_signing_key(material: Secret, passphrase: Secret | None, *, thorough: bool = True) -> SigningKey:
    """Parse a private key in any of the accepted forms.

    :param material: PEM (with its certificate, if wanted), JWK, or Base64 of a PKCS#12 file.
    :param passphrase: of an encrypted PEM or PKCS#12; ``None`` for an open one.
    :param thorough: check that the numbers of an RSA key fit each other, which takes nearly all of the
        time; false where nothing is signed with it.
    :raises KeyMaterialError: when it is no such key, or too weak a one.
    """
    text = material.reveal().strip()
    if text.startswith("{"):
        return _from_jwk(text)
    password = passphrase.reveal().encode() if passphrase else None
    if "-----BEGIN" in text:
        return _from_pem(text, password, thorough=thorough)
    return _from_pkcs12(text, password)


# The errors of cryptography, PyJWT and base64 hold the text of the key, in themselves or in what they were
# raised from. So each of ours is raised outside of their except blocks, and nothing is chained to it.


def _from_pem(text: str, password: bytes | None, *, thorough: bool) -> SigningKey:
    # Environment variables and one-line form fields often carry a PEM with literal \n in it.
    pem = text.replace("\\n", "\n").encode()
    key = _pem_key(pem, password, thorough=thorough)
    return _checked(key, certificate=_pem_certificate(pem) if b"BEGIN CERTIFICATE" in pem else None)


def _pem_key(pem: bytes, password: bytes | None, *, thorough: bool) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem, password, unsafe_skip_rsa_key_validation=not thorough)
    except TypeError:
        if password is None:
            problem = KeyMaterialError(
                "the key is encrypted: its passphrase is missing", "private_key_passphrase"
            )
        else:
            problem = KeyMaterialError(
                "a passphrase is set, but the key is not encrypted", "private_key_passphrase"
            )
    except Exception as error:  # cryptography raises several types of its own
        problem = _unreadable(error, password, "PEM")
    raise problem


def _pem_certificate(pem: bytes) -> Certificate:
    from cryptography import x509

    with suppress(ValueError):
        return x509.load_pem_x509_certificates(pem)[0]
    raise KeyMaterialError("the certificate beside the PEM key is damaged or incomplete")


def _from_pkcs12(text: str, password: bytes | None) -> SigningKey:
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    data = _decoded(text)
    if data is None:
        raise KeyMaterialError("it is neither PEM, nor JWK, nor Base64 of a PKCS#12 file")
    key, certificate, problem = None, None, None
    try:
        key, certificate, _ = load_key_and_certificates(data, password)
    except Exception as error:  # as above
        problem = _unreadable(error, password, "PKCS#12")
    if problem is not None:
        raise problem
    if key is None:
        raise KeyMaterialError("the PKCS#12 file holds no private key")
    return _checked(key, certificate=certificate)


def _decoded(text: str) -> bytes | None:
    with suppress(ValueError):  # binascii's error is one too
        return base64.b64decode("".join(text.split()), validate=True)
    return None


def _unreadable(error: Exception, password: bytes | None, form: str) -> KeyMaterialError:
    from cryptography.exceptions import UnsupportedAlgorithm

    if isinstance(error, UnsupportedAlgorithm):
        return KeyMaterialError(f"the {form} key is of a kind that is not supported")
    if password is not None:
        return KeyMaterialError(f"the {form} key cannot be opened: wrong passphrase or damaged text")
    # An encrypted PEM without passphrase is told apart by the type of its error, a PKCS#12 is not.
    missing = ", or its passphrase is missing" if form == "PKCS#12" else ""
    return KeyMaterialError(f"the {form} key is damaged or incomplete{missing}")


def _from_jwk(text: str) -> SigningKey:
    data = _jwk_members(text)
    if not isinstance(data, dict) or "d" not in data:
        raise KeyMaterialError('the JWK is a public key: the private one has a member "d"')
    kty, curve = data.get("kty"), data.get("crv")
    algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}.get(str(kty))
    if algorithm is None or (kty, curve) in {("EC", "P-384"), ("EC", "P-521"), ("OKP", "X25519")}:
        raise KeyMaterialError("the JWK must be of type RSA, EC (P-256) or OKP (Ed25519)")
    key = _jwk_key(data, algorithm)
    if key is None:
        raise KeyMaterialError("the JWK is damaged or incomplete")
    key_id = data.get("kid")
    return _checked(key, key_id=key_id if isinstance(key_id, str) else None)


def _jwk_members(text: str) -> Any:
    try:
        return parse_value(text)
    except JsonError as error:
        reason = str(error)
    raise KeyMaterialError(f"it looks like a JWK, but {reason}")


def _jwk_key(members: dict[str, Any], algorithm: str) -> Any:
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    with suppress(PyJWTError, ValueError, TypeError, KeyError):
        return PyJWK(members, algorithm=algorithm).key
    return None


def _checked(key: Any, *, key_id: str | None = None, certificate: Certificate | None = None) -> SigningKey:
    return SigningKey(key, _algorithms(key), key_id, _thumbprint(certificate), _expires_at(certificate))


def _algorithms(key: Any) -> tuple[str, ...]:
    """Return what the key is good for.

    :raises KeyMaterialError: when it is good for nothing.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < MIN_RSA_BITS:
            raise KeyMaterialError(
                f"the RSA key has {key.key_size} bits: at least {MIN_RSA_BITS} are required (RFC 7518 §3.3)"
            )
        return ("RS256", "PS256")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise KeyMaterialError(
                f"the EC key is on curve {key.curve.name}: ES256 needs P-256 (RFC 7518 §3.4)"
            )
        return ("ES256",)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return ("EdDSA",)
    raise KeyMaterialError("the key must be RSA, EC (P-256) or Ed25519")


def _thumbprint(certificate: Certificate | None) -> str | None:
    if certificate is None:
        return None
    from cryptography.hazmat.primitives.serialization import Encoding

    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _expires_at(certificate: Certificate | None) -> float | None:
    return certificate.not_valid_after_utc.timestamp() if certificate else None
