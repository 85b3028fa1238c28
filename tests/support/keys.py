"""A private key of each kind, in the forms in which people have them."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from airflow_oauth_provider.protocol.client.algorithms import ALGORITHMS, KeyKind

RSA: Any = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS: dict[KeyKind, Any] = {
    KeyKind.RSA: RSA,
    KeyKind.P256: ec.generate_private_key(ec.SECP256R1()),
    KeyKind.P384: ec.generate_private_key(ec.SECP384R1()),
    KeyKind.P521: ec.generate_private_key(ec.SECP521R1()),
    KeyKind.ED25519: ed25519.Ed25519PrivateKey.generate(),
}
BY_ALGORITHM: dict[str, Any] = {name: KEYS[kind] for name, kind in ALGORITHMS.items() if kind in KEYS}
"""Each algorithm of private keys, and a key for it."""


def pem(key: Any, passphrase: str | None = None) -> str:
    """Write a key as PEM (PKCS#8)."""
    locked = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    data: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    return data.decode()


def jwk(key: Any, **members: Any) -> str:
    """Write a key, private or public, as JWK.

    :param members: added to it; ``None`` takes one out.
    """
    name = next(
        name for name, other in BY_ALGORITHM.items() if type(other) is type(key) or _public(other, key)
    )
    reader = get_default_algorithms()[name]
    content = {**json.loads(reader.to_jwk(key)), **members}
    return json.dumps({name: value for name, value in content.items() if value is not None})


def _public(private: Any, key: Any) -> bool:
    return isinstance(key, type(private.public_key()))
