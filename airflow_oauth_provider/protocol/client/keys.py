"""Signing keys: PEM, PKCS#12 or JWK in, a checked key and its algorithms out.

RFC 7518 §3 (algorithms and key sizes), RFC 8037 (EdDSA), RFC 8725 §3.1 (a key is bound to its
algorithm), RFC 7517 §4 (what a JWK says of itself), RFC 7515 §4.1.8 (``x5t#S256``). Parsing an RSA key takes
some 28 ms, a signature 0.2 ms, so parsed keys are remembered.
"""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.protocol.client.algorithms import SYNONYMS, KeyKind, algorithms_of, one_of
from airflow_oauth_provider.protocol.secret import Secret

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MIN_RSA_BITS = 2048
# RFC 7292 §4: a PFX begins with its version, 3, after the tag and the length of the whole.
_PFX, _PFX_WITHIN = b"\x02\x01\x03", 9
# RFC 7468 §5, §7, §13: what lies beside a private key, and is taken for it.
_OTHER_LABELS = {
    b"BEGIN CERTIFICATE REQUEST": "certificate request",
    b"BEGIN CERTIFICATE": "certificate",
    b"PUBLIC KEY": "public key",
}
_OPENSSH = b"BEGIN OPENSSH PRIVATE KEY"
_PATH = re.compile(r"(?:~|\.{0,2})/\S{1,500}\Z|\S{1,500}\.(?:pem|key|p12|pfx|jwk|crt)\Z")
_NEEDED = "RSA, EC (P-256, P-384 or P-521) or Ed25519"


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

    :param kind: what people call it, with its size where that is not in its name.
    :param key_id: the JWK's own ``kid``, if it had one.
    :param certificates: that came with the key, in any order: perhaps its own, those of issuers.
    """

    key: Any = field(repr=False)
    algorithms: tuple[str, ...]
    kind: str
    key_id: str | None = None
    certificates: tuple[Certificate, ...] = field(default=(), repr=False)

    def require(self, algorithm: str) -> None:
        """Refuse an algorithm that the key does not fit (RFC 8725 §3.1).

        :raises KeyMaterialError: naming both.
        """
        if algorithm not in self.algorithms:
            raise KeyMaterialError(
                f"{algorithm} does not fit the key: it is {self.kind}, for {one_of(self.algorithms)}",
                "jwt_algorithm",
            )


class _Parsed:
    """A key as it was parsed last, once for all settings that hold the same text.

    :param key: ``None`` until then.
    :param thorough: whether its numbers were checked.
    """

    __slots__ = ("key", "thorough")

    def __init__(self) -> None:
        self.key: SigningKey | None = None
        self.thorough = False


@lru_cache(maxsize=512)
def _parsed(material: Secret, passphrase: Secret | None) -> _Parsed:
    return _Parsed()


def load_signing_key(material: Secret, passphrase: Secret | None, *, thorough: bool = True) -> SigningKey:
    """Parse a private key in any of the accepted forms, or return it as it was parsed before.

    :param material: PEM (with its certificate, if wanted), JWK, or Base64 of a PKCS#12 file.
    :param passphrase: of an encrypted PEM or PKCS#12; ``None`` for an open one.
    :param thorough: check that the numbers of an RSA key fit each other, which takes nearly all of the
        time; false where nothing is signed with it.
    :raises KeyMaterialError: when it is no such key, or too weak a one.
    """
    parsed = _parsed(material, passphrase)
    if parsed.key is None or (thorough and not parsed.thorough):
        parsed.key = _parse(material, passphrase, thorough=thorough)
        parsed.thorough = thorough
    return parsed.key


def _parse(material: Secret, passphrase: Secret | None, *, thorough: bool) -> SigningKey:
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
    pem = text.encode()
    key = _pem_key(pem, password, thorough=thorough)
    return _checked(key, certificates=_pem_certificates(pem) if b"BEGIN CERTIFICATE" in pem else ())


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
        problem = _no_private_key(pem) or _unreadable(error, password, "PEM")
    raise problem


def _no_private_key(pem: bytes) -> KeyMaterialError | None:
    """Say what a PEM is that holds no private key, or one in a form of OpenSSH's own."""
    if _OPENSSH in pem:
        return KeyMaterialError("it is in OpenSSH's form: ssh-keygen -p -m PKCS8 -f COPY makes a copy PEM")
    if b"PRIVATE KEY" in pem:
        return None
    for label, name in _OTHER_LABELS.items():
        if label in pem:
            return KeyMaterialError(f"it is a {name}: a private key has PRIVATE KEY in its first line")
    return None


def _pem_certificates(pem: bytes) -> tuple[Certificate, ...]:
    from cryptography import x509

    with suppress(ValueError):
        return tuple(x509.load_pem_x509_certificates(pem))
    raise KeyMaterialError("the certificate beside the PEM key is damaged or incomplete")


def _from_pkcs12(text: str, password: bytes | None) -> SigningKey:
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    data = _decoded(text)
    if data is None or _PFX not in data[:_PFX_WITHIN]:
        if data is not None and _is_der(data, password):
            raise KeyMaterialError(
                "it is in DER form: openssl pkey -inform DER -in KEY -out KEY.pem makes a copy in PEM"
            )
        if _PATH.match(text.strip()):
            raise KeyMaterialError("it is the path of a file: the file's text belongs here")
        raise KeyMaterialError("it is neither PEM, nor JWK, nor Base64 of a PKCS#12 file")
    key, certificate, problem = None, None, None
    issuers: list[Certificate] = []
    try:
        key, certificate, issuers = load_key_and_certificates(data, password)
    except Exception as error:  # as above
        problem = _unreadable(error, password, "PKCS#12")
    if problem is not None:
        raise problem
    if key is None:
        raise KeyMaterialError("the PKCS#12 file holds no private key")
    return _checked(key, certificates=(certificate, *issuers) if certificate else ())


def _is_der(data: bytes, password: bytes | None) -> bool:
    """Whether these are the bytes of a private key without PEM around them, encrypted or not."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        load_der_private_key(data, password, unsafe_skip_rsa_key_validation=True)
    except (TypeError, UnsupportedAlgorithm):  # a passphrase too many or too few; of a kind that is not known
        return True
    except Exception:  # as above
        return False
    return True


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
    # An encrypted PEM without passphrase is recognised by the type of its error, a PKCS#12 is not.
    missing = ", or its passphrase is missing" if form == "PKCS#12" else ""
    return KeyMaterialError(f"the {form} key is damaged or incomplete{missing}")


def _from_jwk(text: str) -> SigningKey:
    from airflow_oauth_provider.protocol.client.jwk import JwkError, read_jwk

    try:
        jwk = read_jwk(text)
    except JwkError as error:
        reason = str(error)
    else:
        return _checked(jwk.key, key_id=jwk.key_id, algorithm=jwk.algorithm)
    raise KeyMaterialError(reason)


def _checked(
    key: Any,
    *,
    key_id: str | None = None,
    certificates: tuple[Certificate, ...] = (),
    algorithm: str | None = None,
) -> SigningKey:
    """Bind a key to its algorithms.

    :param algorithm: to which it limits itself (RFC 7517 §4.4).
    :raises KeyMaterialError: when it is good for nothing, or not for that one.
    """
    kind = _kind(key)
    size = f" of {key.key_size} bits" if kind is KeyKind.RSA else ""
    signing = SigningKey(
        key,
        algorithms_of(kind),
        f"{kind.value}{size}",
        key_id,
        certificates,
    )
    if algorithm is None:
        return signing
    if algorithm not in signing.algorithms:
        raise KeyMaterialError(f'the JWK says "alg": "{algorithm}", and its key is {signing.kind}')
    names = SYNONYMS if algorithm in SYNONYMS else {algorithm}
    return replace(signing, algorithms=(algorithm, *sorted(names - {algorithm})))


def _kind(key: Any) -> KeyKind:
    """Return what kind of key it is.

    :raises KeyMaterialError: when it is too weak, or of a kind that signs nothing here.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < MIN_RSA_BITS:
            raise KeyMaterialError(
                f"the RSA key has {key.key_size} bits: at least {MIN_RSA_BITS} are required (RFC 7518 §3.3)"
            )
        return KeyKind.RSA
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return KeyKind.ED25519
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyMaterialError(f"the key must be {_NEEDED}")
    curves = {"secp256r1": KeyKind.P256, "secp384r1": KeyKind.P384, "secp521r1": KeyKind.P521}
    kind = curves.get(key.curve.name)
    if kind is None:
        raise KeyMaterialError(
            f"the EC key is on curve {key.curve.name}: it must be P-256, P-384 or P-521 (RFC 7518 §3.4)"
        )
    return kind
