"""One proof of possession: a JWT for one request (RFC 9449 §4.2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache

from airflow_oauth_provider.protocol.dpop.proof_key import ProofKey, encoded
from airflow_oauth_provider.protocol.urls import parse_url

PROOF_HEADER = "DPoP"
DPOP = "DPoP"
"""The type of a token that is bound to a key, and the scheme by which it travels (RFC 9449 §7.1)."""
_JTI_BYTES = 16


def new_proof(
    key: ProofKey,
    method: str,
    url: str,
    *,
    now: float,
    entropy: Callable[[int], bytes],
    nonce: str | None = None,
    token: str | None = None,
) -> str:
    """Return the proof for one request; each request needs its own, also one that is sent again.

    :param url: of the request.
    :param now: seconds since the epoch, as the server is believed to count them.
    :param entropy: returns that many random bytes.
    :param nonce: that the server has last given; ``None`` where it has given none.
    :param token: that the request carries; ``None`` for a token request.
    """
    fixed = _fixed_claims(method, url.partition("#")[0].partition("?")[0], token)
    changing = f'"jti":"{entropy(_JTI_BYTES).hex()}","iat":{int(now)}'
    if nonce is not None:
        changing += f',"nonce":{json.dumps(nonce)}'
    signed = f"{key.header}.{encoded(f'{{{fixed},{changing}}}'.encode())}"
    return f"{signed}.{encoded(key.sign(signed.encode()))}"


@lru_cache(maxsize=256)
def _fixed_claims(method: str, url: str, token: str | None) -> str:
    """Return the claims that are the same each time, as they stand in the JSON."""
    claims = {"htm": method, "htu": target_of(url)}
    if token is not None:
        claims["ath"] = encoded(hashlib.sha256(token.encode()).digest())
    return json.dumps(claims, separators=(",", ":"))[1:-1]


def target_of(url: str) -> str:
    """Return the address that a proof names: without query and fragment (RFC 9449 §4.2, ``htu``).

    As the server sees it: with its path, however short, and without the port that everybody means.

    :raises UrlError: when it is no address that anything is sent to.
    """
    return str(parse_url(url.partition("#")[0].partition("?")[0]))
