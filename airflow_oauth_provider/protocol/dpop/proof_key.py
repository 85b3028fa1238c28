"""The key whose possession proofs show (RFC 9449 §4.2).

RFC 7517 and RFC 7518 §6 (public keys as JWK), RFC 7638 (thumbprints). Parsing a key takes far longer than
signing with it, so parsed keys are remembered.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from airflow_oauth_provider.protocol.client.keys import load_signing_key
from airflow_oauth_provider.protocol.client.signing import implementation
from airflow_oauth_provider.protocol.secret import Secret

PROOF_TYPE = "dpop+jwt"
# The members that make up a public key, and its thumbprint (RFC 7638 §3.2).
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256_BYTES = 32
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_SCALAR_BYTES = 40
"""Random bytes for a scalar: 64 bits more than it has, so that it is as good as unbiased."""


@dataclass(frozen=True)
class ProofKey:
    """A private key, ready to sign proofs.

    :param sign: returns the signature over bytes.
    :param header: of all its proofs (RFC 9449 §4.2), as it stands in them.
    :param thumbprint: by which servers know the key (``jkt``, RFC 9449 §6.1).
    """

    sign: Callable[[bytes], bytes] = field(repr=False)
    header: str
    thumbprint: str


@lru_cache(maxsize=512)
def load_proof_key(
    material: Secret,
    passphrase: Secret | None = None,
    algorithm: str | None = None,
    *,
    thorough: bool = True,
) -> ProofKey:
    """Parse a private key.

    :param material: as of :func:`load_signing_key`, like *passphrase* and *thorough*.
    :param algorithm: one that the key is good for; ``None`` for the default of its kind.
    :raises KeyMaterialError: when it is no such key, or too weak a one.
    """
    parsed = load_signing_key(material, passphrase, thorough=thorough)
    name = algorithm or parsed.algorithms[0]
    signer = implementation(name)
    jwk = _public_members(signer.to_jwk(parsed.key.public_key(), as_dict=True))
    header = {"typ": PROOF_TYPE, "alg": name, "jwk": jwk}
    if jwk["kty"] == "EC":
        sign = _ecdsa(parsed.key, signer.hash_alg())
    else:
        sign = partial(signer.sign, key=parsed.key)
    return ProofKey(sign, encoded(_compact(header)), _thumbprint(jwk))


def _ecdsa(key: Any, digest: Any) -> Callable[[bytes], bytes]:
    """Return what signs as RFC 7518 §3.4 has it; each call of an API does, and PyJWT takes a fifth longer."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    scheme, size = ec.ECDSA(digest), -(-key.key_size // 8)

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, scheme))
        return bytes(r.to_bytes(size) + s.to_bytes(size))

    return sign


def new_proof_key(entropy: Callable[[int], bytes]) -> Secret:
    """Return a new private key on P-256, as JWK.

    :param entropy: returns that many random bytes.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    # FIPS 186-5 §A.2.1: from extra random bits, so that no scalar is likelier than another.
    scalar = int.from_bytes(entropy(_SCALAR_BYTES)) % (_P256_ORDER - 1) + 1
    public = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    numbers = {"d": scalar, "x": public.x, "y": public.y}
    members = {name: encoded(number.to_bytes(_P256_BYTES)) for name, number in numbers.items()}
    return Secret(_compact({"kty": "EC", "crv": "P-256", **members}).decode())


def private_part(material: Secret) -> str:
    """Return what is secret of a key that :func:`new_proof_key` has made; of any other all of it."""
    text = material.reveal()
    members = json.loads(text) if text.startswith("{") else {}
    return str(members.get("d", text))


def encoded(data: bytes) -> str:
    """Return *data* in Base64 as JWTs have it (RFC 7515 §2)."""
    # As base64.urlsafe_b64encode does it, in half the time.
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode()


def _public_members(jwk: dict[str, Any]) -> dict[str, str]:
    """Return what makes up a public key, in the order of its thumbprint, and nothing else."""
    return {name: str(jwk[name]) for name in _MEMBERS[str(jwk["kty"])]}


def _thumbprint(jwk: dict[str, str]) -> str:
    return encoded(hashlib.sha256(_compact(jwk)).digest())


def _compact(members: dict[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()
