"""Sign a JWT (RFC 7519 §7.1) with a key that is parsed already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jwt import PyJWS

_ED25519 = "Ed25519"


def sign(claims: Mapping[str, Any], key: Any, algorithm: str, header: Mapping[str, Any]) -> str:
    """Return the JWT.

    :param key: of cryptography, or the bytes of a secret; it has to fit the algorithm.
    :param header: what stands beside ``alg``.
    """
    payload = json.dumps(claims, separators=(",", ":")).encode()
    return _signer().encode(payload, key, algorithm, dict(header))


def implementation(algorithm: str) -> Any:
    """Return what PyJWT signs and writes keys with."""
    return _signer().get_algorithm_by_name(algorithm)


def is_key(secret: bytes) -> bool:
    """Whether a secret is a key or certificate, which must not become that of an HMAC (RFC 8725 §2.1)."""
    from jwt.exceptions import InvalidKeyError

    try:
        implementation("HS256").prepare_key(secret)
    except InvalidKeyError:
        return True
    return False


@cache
def _signer() -> PyJWS:
    from jwt import PyJWS
    from jwt.algorithms import OKPAlgorithm

    signer = PyJWS()
    if _ED25519 not in signer.get_algorithms():
        signer.register_algorithm(_ED25519, OKPAlgorithm())
    return signer
