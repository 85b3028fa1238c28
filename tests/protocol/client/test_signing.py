"""Each algorithm, verified with the public key as a server would."""

from __future__ import annotations

import base64
import json
import warnings

import jwt
import pytest

from airflow_oauth_provider.protocol.client.algorithms import KeyKind, algorithms_of
from airflow_oauth_provider.protocol.client.signing import implementation, is_key, sign
from tests.support.keys import BY_ALGORITHM, KEYS, RSA, pem

SECRET = b"0123456789abcdef" * 4


@pytest.mark.parametrize("algorithm", [name for name in BY_ALGORITHM if name != "Ed25519"])
def test_the_public_key_verifies_it(algorithm: str) -> None:
    key = BY_ALGORITHM[algorithm]
    signed = sign({"sub": "c"}, key, algorithm, {"kid": "k"})
    assert jwt.get_unverified_header(signed) == {"alg": algorithm, "typ": "JWT", "kid": "k"}
    assert jwt.decode(signed, key.public_key(), [algorithm]) == {"sub": "c"}


def test_ed25519_is_eddsa_by_another_name() -> None:
    """RFC 9864 §2.2."""
    key = KEYS[KeyKind.ED25519]
    head, payload, signature = sign({"sub": "c"}, key, "Ed25519", {}).split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "Ed25519", "typ": "JWT"}
    key.public_key().verify(base64.urlsafe_b64decode(signature + "=="), f"{head}.{payload}".encode())


@pytest.mark.parametrize("algorithm", algorithms_of(KeyKind.SECRET))
def test_the_secret_verifies_it(algorithm: str) -> None:
    assert jwt.decode(sign({"sub": "c"}, SECRET, algorithm, {}), SECRET, [algorithm]) == {"sub": "c"}


def test_the_type_can_be_another_one() -> None:
    signed = sign({}, KEYS[KeyKind.P256], "ES256", {"typ": "client-authentication+jwt"})
    assert jwt.get_unverified_header(signed)["typ"] == "client-authentication+jwt"


@pytest.mark.parametrize(
    ("secret", "expected"),
    [(SECRET, False), (b"ssh-but-no-key", False), (pem(RSA).encode(), True), (b"ssh-rsa AAAA", True)],
    ids=["secret", "word", "PEM", "SSH"],
)
def test_a_key_is_no_secret(secret: bytes, *, expected: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_key(secret) is expected


@pytest.mark.parametrize("algorithm", [*BY_ALGORITHM, *algorithms_of(KeyKind.SECRET)])
def test_there_is_an_implementation_of_each(algorithm: str) -> None:
    assert implementation(algorithm).sign is not None
