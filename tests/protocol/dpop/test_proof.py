"""One proof: what RFC 9449 §4.2 wants in it, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.protocol.dpop.proof import new_proof, target_of
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key, new_proof_key
from airflow_oauth_provider.protocol.urls import UrlError

KEY = load_proof_key(new_proof_key(os.urandom))
URL = "https://api.example/orders"


def claims_of(proof: str) -> dict[str, Any]:
    jwk = jwt.get_unverified_header(proof)["jwk"]
    key = jwt.PyJWK(jwk, algorithm="ES256").key
    claims: dict[str, Any] = jwt.decode(proof, key, algorithms=["ES256"], options={"verify_iat": False})
    return claims


def test_the_proof_of_a_token_request() -> None:
    proof = new_proof(KEY, "POST", URL, now=1_700_000_000.9, entropy=lambda size: b"\1" * size)
    assert claims_of(proof) == {"jti": "01" * 16, "htm": "POST", "htu": URL, "iat": 1_700_000_000}


def test_the_proof_of_a_call_names_its_token_and_the_nonce() -> None:
    proof = new_proof(KEY, "GET", f"{URL}?page=2", now=5.0, entropy=os.urandom, nonce="n-1", token="tok")
    claims = claims_of(proof)
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"tok").digest()).rstrip(b"=").decode()
    assert (claims["ath"], claims["nonce"], claims["htu"]) == (digest, "n-1", URL)


def test_the_hash_of_a_token_is_that_of_rfc_9449() -> None:
    """The example of §7.1."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    proof = new_proof(KEY, "GET", URL, now=5.0, entropy=os.urandom, token=token)
    assert claims_of(proof)["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_no_two_proofs_are_alike() -> None:
    proofs = [new_proof(KEY, "GET", URL, now=5.0, entropy=os.urandom) for _ in range(50)]
    assert len({claims_of(proof)["jti"] for proof in proofs}) == 50


@pytest.mark.parametrize(
    "url, target",
    [
        pytest.param("https://api.example/a/b?x=1#f", "https://api.example/a/b", id="query-and-fragment"),
        pytest.param("https://api.example", "https://api.example/", id="no-path"),
        pytest.param("https://api.example?x=/y", "https://api.example/", id="query-without-path"),
        pytest.param("https://API.example:443/A", "https://api.example/A", id="as-the-server-sees-it"),
        pytest.param("https://api.example:8443/", "https://api.example:8443/", id="port"),
        pytest.param("http://127.0.0.1:80/x", "http://127.0.0.1/x", id="default-port-of-http"),
        pytest.param("https://api.example/a%20b/%C3%A9", "https://api.example/a%20b/%C3%A9", id="encoded"),
    ],
)
def test_the_address_it_names(url: str, target: str) -> None:
    assert target_of(url) == target


def test_what_is_no_address_gets_no_proof() -> None:
    with pytest.raises(UrlError):
        target_of("ftp://api.example/")
