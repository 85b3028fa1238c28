from __future__ import annotations

import base64
import datetime as dt
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, load_signing_key
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.servers.certificates import authority, issue, pkcs12

PASSPHRASE = Secret("the passphrase")
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: object, passphrase: Secret | None = None) -> Secret:
    locked = (
        serialization.BestAvailableEncryption(passphrase.reveal().encode())
        if passphrase
        else serialization.NoEncryption()
    )
    data = key.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked
    )
    return Secret(data.decode())


@pytest.mark.parametrize("algorithm", KEYS)
def test_pem_and_jwk_of_each_kind(algorithm: str) -> None:
    key = KEYS[algorithm]
    assert load_signing_key(pem(key), None).algorithms[0] == algorithm
    assert load_signing_key(pem(key, PASSPHRASE), PASSPHRASE).algorithms[0] == algorithm
    one_line = Secret(pem(key).reveal().replace("\n", "\\n"))
    assert load_signing_key(one_line, None).algorithms[0] == algorithm
    jwk = get_default_algorithms()[algorithm].to_jwk(key, as_dict=True) | {"kid": "key-1"}
    loaded = load_signing_key(Secret(json.dumps(jwk)), None)
    assert (loaded.algorithms[0], loaded.key_id) == (algorithm, "key-1")


def test_a_certificate_beside_the_key_gives_its_thumbprint_and_end() -> None:
    issued = issue(authority())
    loaded = load_signing_key(Secret(issued.key + issued.certificate), None)
    assert loaded.thumbprint is not None
    assert len(base64.urlsafe_b64decode(loaded.thumbprint + "=")) == 32
    assert loaded.certificate_expires_at is not None


def test_pkcs12() -> None:
    end = dt.datetime(2090, 1, 2, tzinfo=dt.UTC)
    data = base64.b64encode(pkcs12(PASSPHRASE.reveal().encode(), not_after=end)).decode()
    loaded = load_signing_key(Secret(data), PASSPHRASE)
    assert loaded.algorithms == ("ES256",)
    assert loaded.certificate_expires_at == end.timestamp()
    for wrong in (None, Secret("another")):
        with pytest.raises(KeyMaterialError, match="passphrase"):
            load_signing_key(Secret(data), wrong)


@pytest.mark.parametrize(
    ("material", "passphrase", "field", "says"),
    [
        pytest.param(pem(RSA, PASSPHRASE), None, "private_key_passphrase", "missing", id="locked"),
        pytest.param(pem(RSA), PASSPHRASE, "private_key_passphrase", "not encrypted", id="open"),
        pytest.param(pem(RSA, PASSPHRASE), Secret("x"), "private_key", "wrong passphrase", id="wrong"),
        pytest.param(
            pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
            None,
            "private_key",
            "1024 bits",
            id="weak",
        ),
        pytest.param(
            pem(ec.generate_private_key(ec.SECP384R1())), None, "private_key", "secp384r1", id="curve"
        ),
        pytest.param(Secret('{"kty": "EC"}'), None, "private_key", "public key", id="public-jwk"),
        pytest.param(Secret('{"kty": "x", "d": "y"}'), None, "private_key", "of type", id="strange-jwk"),
        pytest.param(Secret('{"d": "top-secret'), None, "private_key", "not valid JSON", id="cut-jwk"),
        pytest.param(Secret("top-secret"), None, "private_key", "", id="nothing-known"),
    ],
)
def test_what_cannot_be_used_is_said_without_showing_it(
    material: Secret, passphrase: Secret | None, field: str, says: str
) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        load_signing_key(material, passphrase)
    assert caught.value.field == field
    assert says in str(caught.value)
    assert "top-secret" not in str(caught.value)
    assert caught.value.__context__ is None, "errors of the libraries hold the text of the key"
    assert caught.value.__cause__ is None
