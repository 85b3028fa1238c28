"""Entries that only their own client can open.

Each is sealed with AES-256-GCM (NIST SP 800-38D) under a key that HKDF-SHA256 (RFC 5869) derives
from the client's own secret or private key: a process that can open the token could have asked for it. The
entry's name is authenticated along with it, so that an entry put in another's place does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from airflow_oauth_provider.protocol.secret import Secret

_VERSION = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_TAG_BYTES = 16
OVERHEAD = len(_VERSION) + _NONCE_BYTES + _TAG_BYTES
"""Bytes by which an entry is longer than its content."""
_CONTEXT = b"airflow-oauth-provider/1/"


@dataclass(frozen=True)
class Sealer:
    """Seals under one key.

    :param cipher: AES-GCM with the derived key.
    :param name_key: for the entries' names.
    """

    cipher: Any = field(repr=False)
    name_key: bytes = field(repr=False)

    def name(self, purpose: str, key: str) -> str:
        """Return the name of an entry; without the secret nobody can find out what it stands for."""
        return _name(self.name_key, f"{purpose}\0{key}")

    def seal(self, name: str, content: bytes) -> bytes:
        """Seal *content* for the entry *name*."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed: bytes = self.cipher.encrypt(nonce, content, _VERSION + name.encode())
        return _VERSION + nonce + sealed

    def open(self, name: str, data: bytes) -> bytes | None:
        """Open an entry; ``None`` for anything that is not exactly what was sealed for that name."""
        from cryptography.exceptions import InvalidTag

        if not looks_sealed(data):
            return None
        start = len(_VERSION) + _NONCE_BYTES
        try:
            content: bytes = self.cipher.decrypt(
                data[len(_VERSION) : start], data[start:], _VERSION + name.encode()
            )
        except InvalidTag:
            return None
        return content


@lru_cache(maxsize=4096)
def _name(name_key: bytes, text: str) -> str:
    return hmac.new(name_key, text.encode(), hashlib.sha256).hexdigest()[:40]


def looks_sealed(data: bytes) -> bool:
    """Whether these bytes have the form of an entry, under any key."""
    return data[: len(_VERSION)] == _VERSION and len(data) >= OVERHEAD


@lru_cache(maxsize=2048)
def sealer(credential: Secret | None, store_key: Secret | None) -> Sealer:
    """Derive the keys.

    :param credential: the client's secret or private key.
    :param store_key: the deployment's own key, which then enters all keys; ``None`` without one.
    :raises ValueError: with neither of the two nothing can be sealed.
    """
    if credential is None and store_key is None:
        raise ValueError("nothing to derive a key from")
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derivation = HKDF(
        SHA256(),
        length=2 * _KEY_BYTES,
        salt=store_key.reveal().encode() if store_key else None,
        info=_CONTEXT + b"seal",
    )
    derived = derivation.derive(credential.reveal().encode() if credential else _CONTEXT)
    return Sealer(AESGCM(derived[:_KEY_BYTES]), derived[_KEY_BYTES:])
