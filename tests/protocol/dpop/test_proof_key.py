"""Keys of proofs: what is public of them, and by what servers know them."""

from __future__ import annotations

import json
import os
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from airflow_oauth_provider.protocol.client.keys import KeyMaterialError
from airflow_oauth_provider.protocol.dpop.proof_key import encoded, load_proof_key, new_proof_key
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.dpop_service import thumbprint_of
from tests.support.keys import BY_ALGORITHM

# RFC 7638 §3.1
RSA_JWK = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"
    "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
    "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6"
    "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
}


def pem(key: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode())


def header(text: str) -> dict[str, Any]:
    return dict(jwt.get_unverified_header(f"{text}.e30.AA"))


@pytest.mark.parametrize(
    "key, algorithm, members",
    [
        pytest.param(ec.generate_private_key(ec.SECP256R1()), "ES256", {"kty", "crv", "x", "y"}, id="EC"),
        pytest.param(rsa.generate_private_key(65537, 2048), "RS256", {"kty", "n", "e"}, id="RSA"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), "EdDSA", {"kty", "crv", "x"}, id="Ed25519"),
    ],
)
def test_the_header_shows_the_public_key_and_nothing_else(
    key: Any, algorithm: str, members: set[str]
) -> None:
    loaded = load_proof_key(Secret(pem(key)))
    decoded = header(loaded.header)
    assert decoded.keys() == {"typ", "alg", "jwk"}
    assert (decoded["typ"], decoded["alg"]) == ("dpop+jwt", algorithm)
    assert decoded["jwk"].keys() == members
    public = jwt.PyJWK(decoded["jwk"], algorithm=algorithm).key
    assert public.public_numbers() == key.public_key().public_numbers() if algorithm != "EdDSA" else True
    assert loaded.thumbprint == thumbprint_of(decoded["jwk"])
    assert "sign" not in repr(loaded)


def test_an_rsa_key_signs_with_what_is_chosen() -> None:
    material = Secret(pem(rsa.generate_private_key(65537, 2048)))
    chosen = load_proof_key(material, None, "PS256")
    assert header(chosen.header)["alg"] == "PS256"
    assert chosen.thumbprint == load_proof_key(material).thumbprint


@pytest.mark.parametrize("algorithm", BY_ALGORITHM)
def test_a_key_signs_proofs_with_whatever_it_is_good_for(algorithm: str) -> None:
    """Also under the name that RFC 9864 gives to EdDSA."""
    key = BY_ALGORITHM[algorithm]
    loaded = load_proof_key(Secret(pem(key)), None, algorithm)
    assert header(loaded.header)["alg"] == algorithm
    data = loaded.header.encode() + b".e30"
    verifier: Any = get_default_algorithms()["EdDSA" if algorithm == "Ed25519" else algorithm]
    assert verifier.verify(data, key.public_key(), loaded.sign(data))


def test_the_thumbprint_of_rfc_7638() -> None:
    from airflow_oauth_provider.protocol.dpop.proof_key import _public_members, _thumbprint

    members = _public_members({**RSA_JWK, "alg": "RS256", "kid": "2011-04-29"})
    assert _thumbprint(members) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_new_key_is_a_p_256_key_of_the_entropy_given() -> None:
    material = new_proof_key(lambda size: b"\1" * size)
    assert material == new_proof_key(lambda size: b"\1" * size)
    members = json.loads(material.reveal())
    assert (members["kty"], members["crv"]) == ("EC", "P-256")
    assert [len(members[name]) for name in ("d", "x", "y")] == [43, 43, 43]
    assert len({new_proof_key(os.urandom).reveal() for _ in range(20)}) == 20
    decoded = header(load_proof_key(material).header)
    assert decoded["jwk"] == {name: members[name] for name in ("crv", "kty", "x", "y")}


@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
def test_no_entropy_gives_a_key_out_of_range(byte: bytes) -> None:
    load_proof_key(new_proof_key(lambda size: byte * size))


@pytest.mark.parametrize("text", ["", "{}", '{"kty": "EC", "crv": "P-256", "d": "AA"}'])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyMaterialError):
        load_proof_key(Secret(text))


def test_base64_has_no_padding() -> None:
    assert encoded(b"\xff\xfe") == "__4"
