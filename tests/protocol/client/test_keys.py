from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa

from airflow_oauth_provider.protocol.client import keys
from airflow_oauth_provider.protocol.client.algorithms import KeyKind, algorithms_of
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, SigningKey, load_signing_key
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.keys import KEYS, RSA, jwk, pem
from tests.support.servers.certificates import authority, issue, pkcs12

PASSPHRASE = "the passphrase"
AUTHORITY = authority("a CA")
PUBLIC = (
    RSA.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
OPENSSH = RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
).decode()


def load(text: str, passphrase: str | None = None) -> SigningKey:
    return load_signing_key(Secret(text), Secret(passphrase) if passphrase else None)


@pytest.mark.parametrize("kind", KEYS)
def test_pem_and_jwk_of_each_kind(kind: KeyKind) -> None:
    key = KEYS[kind]
    algorithms = algorithms_of(kind)
    assert load(pem(key)).algorithms == algorithms
    assert load(pem(key, PASSPHRASE), PASSPHRASE).algorithms == algorithms
    loaded = load(jwk(key, kid="key-1"))
    assert (loaded.algorithms, loaded.key_id) == (algorithms, "key-1")
    assert loaded.kind.startswith(kind.value)


@pytest.mark.parametrize(
    ("kind", "algorithm", "expected"),
    [
        (KeyKind.RSA, "PS512", ("PS512",)),
        (KeyKind.P384, "ES384", ("ES384",)),
        (KeyKind.ED25519, "EdDSA", ("EdDSA", "Ed25519")),
        (KeyKind.ED25519, "Ed25519", ("Ed25519", "EdDSA")),
    ],
)
def test_a_jwk_limits_itself(kind: KeyKind, algorithm: str, expected: tuple[str, ...]) -> None:
    """RFC 7517 §4.4; the two names of EdDSA are one algorithm (RFC 9864 §2.2)."""
    assert load(jwk(KEYS[kind], alg=algorithm)).algorithms == expected


@pytest.mark.fault("C50")
def test_an_algorithm_that_the_key_does_not_fit_names_both() -> None:
    with pytest.raises(
        KeyMaterialError, match="ES256 does not fit the key: it is EC P-384, for ES384"
    ) as caught:
        load(pem(KEYS[KeyKind.P384])).require("ES256")
    assert caught.value.field == "jwt_algorithm"
    load(pem(KEYS[KeyKind.P384])).require("ES384")


def test_certificates_that_lie_with_the_key() -> None:
    issued = issue(authority())
    assert len(load(issued.key + issued.certificate).certificates) == 1
    assert len(load(authority().certificate + issued.certificate + issued.key).certificates) == 2
    with pytest.raises(KeyMaterialError, match="damaged"):
        load(issued.key + issued.certificate.replace("MII", "XXX"))


def test_pkcs12() -> None:
    end = dt.datetime(2090, 1, 2, tzinfo=dt.UTC)
    data = base64.b64encode(pkcs12(PASSPHRASE.encode(), not_after=end)).decode()
    loaded = load(data, PASSPHRASE)
    assert loaded.algorithms == ("ES256",)
    assert [certificate.not_valid_after_utc for certificate in loaded.certificates] == [end]
    for wrong in (None, "another"):
        with pytest.raises(KeyMaterialError, match="passphrase"):
            load(data, wrong)


def other_der(key: Any, passphrase: str | None = None) -> str:
    encryption: Any = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    data = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, encryption)
    return base64.b64encode(data).decode()


CERTIFICATE_DER = "".join(issue(AUTHORITY).certificate.partition("-----END")[0].splitlines()[1:])


@pytest.mark.parametrize(
    ("material", "passphrase", "field", "says"),
    [
        pytest.param(pem(RSA, PASSPHRASE), None, "private_key_passphrase", "missing", id="locked"),
        pytest.param(pem(RSA), PASSPHRASE, "private_key_passphrase", "not encrypted", id="open"),
        pytest.param(pem(RSA, PASSPHRASE), "x", "private_key", "wrong passphrase", id="wrong"),
        pytest.param(
            pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
            None,
            "private_key",
            "1024 bits",
            id="weak[C49]",
        ),
        pytest.param(
            pem(ec.generate_private_key(ec.SECP256K1())), None, "private_key", "secp256k1", id="curve[C49]"
        ),
        pytest.param(pem(ed448.Ed448PrivateKey.generate()), None, "private_key", "must be RSA", id="Ed448"),
        pytest.param(
            pem(dsa.generate_private_key(key_size=1024)), None, "private_key", "must be RSA", id="DSA"
        ),
        pytest.param(other_der(RSA), None, "private_key", "openssl pkey -inform DER", id="DER"),
        pytest.param(other_der(RSA), PASSPHRASE, "private_key", "-inform DER", id="DER-open"),
        pytest.param(
            other_der(RSA, PASSPHRASE), None, "private_key", "openssl pkey -inform DER", id="DER-locked"
        ),
        pytest.param(other_der(RSA, PASSPHRASE), PASSPHRASE, "private_key", "-inform DER", id="DER-opens"),
        pytest.param("/etc/ssl/private/idp", None, "private_key", "path of a file", id="path"),
        pytest.param("keys/idp.pem", None, "private_key", "path of a file", id="relative-path"),
        pytest.param(CERTIFICATE_DER, None, "private_key", "neither PEM", id="DER-of-a-certificate"),
        pytest.param('{"kty": "EC"}', None, "private_key", "public key", id="public-jwk"),
        pytest.param(PUBLIC, None, "private_key", "it is a public key", id="public-pem"),
        pytest.param(PUBLIC, PASSPHRASE, "private_key", "it is a public key", id="public-locked"),
        pytest.param(issue(AUTHORITY).certificate, None, "private_key", "is a certificate", id="certificate"),
        pytest.param(OPENSSH, None, "private_key", "ssh-keygen", id="OpenSSH"),
        pytest.param(
            pem(RSA)[:200] + issue(AUTHORITY).certificate, None, "private_key", "damaged", id="cut-beside"
        ),
        pytest.param(
            jwk(RSA, alg="ES256"),
            None,
            "private_key",
            '"alg": "ES256", and its key is RSA',
            id="jwk-alg[C50]",
        ),
        pytest.param(jwk(RSA, alg="none"), None, "private_key", '"alg": "none"', id="jwk-alg-none[C50]"),
        pytest.param('{"d": "top-secret', None, "private_key", "not valid JSON", id="cut-jwk"),
        pytest.param("top-secret", None, "private_key", "", id="nothing-known"),
    ],
)
def test_what_cannot_be_used_is_said_without_showing_it(
    material: str, passphrase: str | None, field: str, says: str
) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        load(material, passphrase)
    assert caught.value.field == field
    assert says in str(caught.value)
    assert "top-secret" not in str(caught.value)
    assert caught.value.__context__ is None, "errors of the libraries hold the text of the key"
    assert caught.value.__cause__ is None


def test_a_key_is_parsed_again_only_for_a_more_thorough_check(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    original = keys._parse

    def counted(*args: Any, **options: Any) -> SigningKey:
        parsed.append(options)
        return original(*args, **options)

    monkeypatch.setattr(keys, "_parse", counted)
    text = Secret(pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    for thorough in (False, False, True, True, False, True):
        load_signing_key(text, None, thorough=thorough)
    assert parsed == [{"thorough": False}, {"thorough": True}]
