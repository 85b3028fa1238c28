"""Assertions as a platform signs them, with a key of its own."""

from __future__ import annotations

import itertools
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = "https://kubernetes.default.svc.cluster.local"
SUBJECT = "system:serviceaccount:airflow:worker"
_numbers = itertools.count(1)


class Platform:
    """Signs assertions, and tells whether one is good."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def assertion(self, **claims: Any) -> str:
        """Sign a new one."""
        now = int(time.time())
        usual = {
            "iss": ISSUER,
            "sub": SUBJECT,
            "aud": "https://idp.example",
            "iat": now,
            "exp": now + 3600,
            "jti": f"assertion-{next(_numbers)}",
        }
        return jwt.encode({**usual, **claims}, self._key, algorithm="ES256", headers={"kid": "platform-1"})

    def claims(self, assertion: str, audience: str = "https://idp.example") -> dict[str, Any]:
        """Verify one as a server does.

        :raises jwt.PyJWTError: when it is not good.
        """
        verified: dict[str, Any] = jwt.decode(
            assertion, self._key.public_key(), algorithms=["ES256"], audience=audience
        )
        return verified


def signature(assertion: str) -> str:
    """Return what is confidential of an assertion."""
    return assertion.rpartition(".")[2]
