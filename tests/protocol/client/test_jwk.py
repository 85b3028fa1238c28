from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.protocol.client.algorithms import KeyKind
from airflow_oauth_provider.protocol.client.jwk import JwkError, read_jwk
from tests.support.keys import KEYS, RSA, jwk


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_each_kind(kind: KeyKind) -> None:
    read = read_jwk(jwk(KEYS[kind], kid="key-1", use="sig", alg=None))
    assert read.key.public_key() == KEYS[kind].public_key()
    assert (read.key_id, read.algorithm) == ("key-1", None)


def test_what_it_says_of_itself() -> None:
    read = read_jwk(jwk(RSA, alg="PS384", kid=7))
    assert (read.algorithm, read.key_id) == ("PS384", None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"d": "top-secret', "not valid JSON", id="cut"),
        pytest.param('{"keys": [{"d": "top-secret"}]}', "set of keys", id="set"),
        pytest.param(jwk(RSA, d=None), "public key", id="public"),
        pytest.param(jwk(RSA, kty="oct"), "of type", id="oct"),
        pytest.param(jwk(KEYS[KeyKind.P256], crv="secp256k1"), "of type", id="curve[C49]"),
        pytest.param(jwk(KEYS[KeyKind.ED25519], crv="X25519"), "of type", id="X25519[C49]"),
        pytest.param(jwk(KEYS[KeyKind.P256], crv="P-384"), "damaged", id="another-curve"),
        pytest.param(jwk(KEYS[KeyKind.P256], kty=["EC"]), "of type", id="kty-list"),
        pytest.param(jwk(KEYS[KeyKind.P256], x="top-secret"), "damaged", id="damaged"),
        pytest.param(jwk(RSA, use="enc"), "not for signing", id="use"),
        pytest.param(jwk(RSA, key_ops=["decrypt"]), "not for signing", id="key-ops"),
        pytest.param(jwk(RSA, alg=["top-secret"]), "no name", id="alg-list"),
        pytest.param(jwk(RSA, alg="top secret"), "no name", id="alg-text"),
    ],
)
def test_what_cannot_sign_is_refused_without_showing_it(text: str, says: str) -> None:
    with pytest.raises(JwkError, match=says) as caught:
        read_jwk(text)
    assert caught.value.__context__ is caught.value.__cause__ is None, "they would hold the key"
    assert "top-secret" not in str(caught.value)


@pytest.mark.parametrize("missing", [("p",), ("p", "q", "dp", "dq", "qi")])
def test_the_primes_can_be_missing(missing: tuple[str, ...]) -> None:
    """RFC 7518 §6.3.2: ``d`` alone is enough, all of the rest or none of it."""
    members: dict[str, Any] = json.loads(jwk(RSA))
    for name in missing:
        del members[name]
    if len(missing) == 1:
        with pytest.raises(JwkError, match="damaged"):
            read_jwk(json.dumps(members))
    else:
        assert read_jwk(json.dumps(members)).key.public_key() == RSA.public_key()
