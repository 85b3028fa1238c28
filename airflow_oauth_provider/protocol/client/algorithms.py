"""The algorithms that a client signs a JWT with, and the kind of key that each takes.

RFC 7518 §3.1 (HS, RS, ES, PS), RFC 8037 §3.1 (EdDSA), RFC 9864 §2.2 (``Ed25519``, the same by its own name).
Every command of Airflow reads this module with the form: it imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class KeyKind(Enum):
    """What signs; the value is what people call it."""

    RSA = "RSA"
    P256 = "EC P-256"
    P384 = "EC P-384"
    P521 = "EC P-521"
    ED25519 = "Ed25519"
    SECRET = "client secret"


ALGORITHMS: Mapping[str, KeyKind] = MappingProxyType(
    {
        "RS256": KeyKind.RSA,
        "RS384": KeyKind.RSA,
        "RS512": KeyKind.RSA,
        "PS256": KeyKind.RSA,
        "PS384": KeyKind.RSA,
        "PS512": KeyKind.RSA,
        "ES256": KeyKind.P256,
        "ES384": KeyKind.P384,
        "ES512": KeyKind.P521,
        "EdDSA": KeyKind.ED25519,
        "Ed25519": KeyKind.ED25519,
        "HS256": KeyKind.SECRET,
        "HS384": KeyKind.SECRET,
        "HS512": KeyKind.SECRET,
    }
)
"""Each algorithm and its kind of key; the first of a kind is its default."""
SYNONYMS = frozenset({"EdDSA", "Ed25519"})
"""Two names of one algorithm."""


def algorithms_of(kind: KeyKind) -> tuple[str, ...]:
    """Return what a kind of key is good for; the default first."""
    return tuple(name for name, needs in ALGORITHMS.items() if needs is kind)


def labels() -> dict[str, str]:
    """Return each algorithm with what the form says of it."""
    remarks = {"PS": "RSA-PSS", "Ed25519": "EdDSA by its name of RFC 9864"}
    return {
        name: f"{name} ({remarks.get(name) or remarks.get(name[:2]) or kind.value})"
        for name, kind in ALGORITHMS.items()
    }


def shortest_secret(algorithm: str) -> int:
    """Return the bytes that a secret needs for an HMAC: as many as its hash has (RFC 7518 §3.2)."""
    return int(algorithm.removeprefix("HS")) // 8


def one_of(names: tuple[str, ...]) -> str:
    """Return a choice as a sentence has it: ``RS256, RS384 or RS512``."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
