"""A client of a few lines on ``requests`` and PyJWT, to know what a server really does."""

from __future__ import annotations

import base64
import hashlib
import ssl
import tempfile
import time
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from requests.adapters import HTTPAdapter

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class _Adapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)


@lru_cache(maxsize=64)
def session(authority: str, certificate: str | None = None, key: str | None = None) -> requests.Session:
    """Return a session that trusts one authority, and shows a client certificate.

    :param authority: PEM; so are *certificate* and its *key*.
    """
    context = ssl.create_default_context(cadata=authority)
    if certificate and key:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "client.pem"
            path.write_text(key + certificate)
            context.load_cert_chain(path)
    made = requests.Session()
    made.trust_env = False
    made.mount("https://", _Adapter(context))
    return made


def assertion(
    client_id: str, audience: str | list[str], key: str, algorithm: str, *, typ: str = "JWT", **claims: Any
) -> dict[str, str]:
    """Return the form parameters of RFC 7523 §2.2, signed anew."""
    now = int(time.time())
    payload = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
        **claims,
    }
    signed = jwt.encode(payload, key, algorithm, headers={"typ": typ})
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


class ProofKey:
    """A DPoP key (RFC 9449 §4.2)."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public: dict[str, Any] = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self._jwk = {name: public[name] for name in ("kty", "crv", "x", "y")}

    def proof(self, method: str, url: str, *, nonce: str | None = None, token: str | None = None) -> str:
        """Return the header ``DPoP`` for one request."""
        payload: dict[str, Any] = {
            "jti": uuid.uuid4().hex,
            "htm": method,
            "htu": url,
            "iat": int(time.time()),
        }
        if nonce is not None:
            payload["nonce"] = nonce
        if token is not None:
            digest = hashlib.sha256(token.encode()).digest()
            payload["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return jwt.encode(payload, self._key, "ES256", headers={"typ": "dpop+jwt", "jwk": self._jwk})
