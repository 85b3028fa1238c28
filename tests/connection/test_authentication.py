"""The authentication method, and what a connection has to authenticate with."""

from __future__ import annotations

import base64
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from airflow_oauth_provider.authorizations.description import certificate_expires_at, describe
from airflow_oauth_provider.connection.authentication import (
    bad_authentication,
    named_origin,
    with_algorithm,
    without_unused,
)
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.algorithms import KeyKind, algorithms_of
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import AssertionSettings
from airflow_oauth_provider.protocol.token.request import build_token_request
from airflow_oauth_provider.protocol.urls import UrlError
from tests.connection.test_checks import KEY_METHOD, connection
from tests.support.builders import settings
from tests.support.keys import BY_ALGORITHM, KEYS, RSA, jwk, pem
from tests.support.servers.certificates import issue_client

KEY = {"private_key": Secret(pem(KEYS[KeyKind.P256]))}
SIGNED: dict[str, Any] = {"auth_method": "client_secret_jwt", "client_secret": Secret("s" * 32)}


def resolved(**changes: Any) -> AssertionSettings:
    return resolve(connection(**changes), Policy()).settings.assertion


def problems(policy: Policy | None = None, **changes: Any) -> list[str]:
    return [field for field, _ in bad_authentication(settings(**changes), policy or Policy())]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"client_secret": None}, ["password"]),
        ({"assertion": KEY}, ["private_key"]),
        ({"auth_method": "private_key_jwt", "client_secret": None, "assertion": KEY}, []),
        ({"auth_method": "private_key_jwt", "client_secret": None}, ["private_key"]),
        ({"auth_method": "private_key_jwt", "assertion": KEY}, ["password"]),
    ],
)
def test_a_method_and_what_there_is_to_authenticate_with(changes: dict[str, Any], fields: list[str]) -> None:
    assert problems(**changes) == fields


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "jti", "exp"])
def test_fixed_claims_cannot_be_set(claim: str) -> None:
    assertion = {"claims": f'{{"{claim}": "x"}}'}
    assert "jwt_claims" in problems(**SIGNED, assertion=assertion)


@pytest.mark.fault("F25")
@pytest.mark.parametrize(
    ("audience", "host"),
    [
        ("https://idp.example/x", "idp.example"),
        ("idp.example", "idp.example"),
        ("idp.example:8443", "idp.example"),
        ("urn:example:sts", None),
        ("api://orders", None),
        ("orders", None),
    ],
)
def test_which_host_an_audience_names(audience: str, host: str | None) -> None:
    origin = named_origin(audience)
    assert (origin.host if origin else None) == host


@pytest.mark.parametrize("audience", ["https://", "https://a.example:99999", "https://[::1"])
def test_an_address_without_a_host(audience: str) -> None:
    with pytest.raises(UrlError):
        named_origin(audience)


@pytest.mark.fault("F25")
@pytest.mark.parametrize(
    ("audience", "hosts", "good"),
    [
        ("https://idp.example/token", (), True),
        ("https://sts.example", (), False),
        ("urn:sts", (), False),
        ("urn:sts", ("idp.example",), True),
        ("https://sts.example", ("idp.example",), False),
        ("https://sts.example", ("*.example",), True),
    ],
)
def test_an_assertion_for_another_server(audience: str, hosts: tuple[str, ...], good: bool) -> None:
    fields = problems(Policy(token_hosts=hosts), **SIGNED, assertion={"audience": audience})
    assert fields == ([] if good else ["jwt_audience"])


@pytest.mark.fault("F08", "F09")
def test_what_a_method_does_not_use_does_not_tell_clients_apart() -> None:
    assert without_unused(settings(assertion={"lifetime": 9.0, "key_id": "k"})) == settings()
    post = settings(auth_method="client_secret_post", request={"basic_encoding": "raw"})
    assert without_unused(post) == settings(auth_method="client_secret_post")
    signed = settings(auth_method="client_secret_jwt", assertion={"lifetime": 9.0})
    assert without_unused(signed).assertion.lifetime == 9.0
    custom = settings(auth_method="custom", assertion={"lifetime": 9.0})
    assert without_unused(custom) is custom


def test_the_algorithm_follows_from_method_and_key() -> None:
    given = settings(auth_method="private_key_jwt", client_secret=None, assertion=KEY)
    assert with_algorithm(given).assertion.algorithm == "ES256"
    assert with_algorithm(settings()).assertion.algorithm is None
    options = {**KEY, "algorithm": "RS256"}
    wrong = settings(auth_method="private_key_jwt", client_secret=None, assertion=options)
    with pytest.raises(KeyMaterialError) as caught:
        with_algorithm(wrong)
    assert caught.value.field == "jwt_algorithm"


@pytest.mark.parametrize("kind", KEYS)
def test_the_algorithm_follows_the_key(kind: KeyKind) -> None:
    assert resolved(**KEY_METHOD, private_key=pem(KEYS[kind])).algorithm == algorithms_of(kind)[0]


@pytest.mark.parametrize("algorithm", BY_ALGORITHM)
def test_it_can_be_any_that_the_key_fits(algorithm: str) -> None:
    given = {"private_key": pem(BY_ALGORITHM[algorithm]), "jwt_algorithm": algorithm}
    assert resolved(**KEY_METHOD, **given).algorithm == algorithm


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_of_just_enough_bytes(algorithm: str, size: int) -> None:
    given = {"auth_method": "client_secret_jwt", "jwt_algorithm": algorithm, "password": "s" * size}
    assert resolved(**given).algorithm == algorithm


@pytest.mark.fault("C50")
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({**KEY_METHOD, "private_key": pem(RSA), "jwt_algorithm": "ES256"}, ("ES256", "RSA of 2048 bits")),
        (
            {**KEY_METHOD, "private_key": pem(KEYS[KeyKind.P384]), "jwt_algorithm": "ES256"},
            ("ES256", "EC P-384", "ES384"),
        ),
        (
            {**KEY_METHOD, "private_key": pem(KEYS[KeyKind.ED25519]), "jwt_algorithm": "HS256"},
            ("HS256", "Ed25519"),
        ),
        (
            {"auth_method": "client_secret_jwt", "password": "s" * 64, "jwt_algorithm": "RS256"},
            ("RS256", "client secret", "HS256, HS384 or HS512"),
        ),
        (
            {**KEY_METHOD, "private_key": jwk(RSA, alg="PS256"), "jwt_algorithm": "RS256"},
            ("RS256", "RSA of 2048 bits", "PS256"),
        ),
    ],
    ids=["type", "curve", "secret-for-key", "key-for-secret", "alg-of-the-JWK"],
)
def test_a_misfit_names_both(changes: dict[str, Any], named: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolved(**changes)
    assert caught.value.field == "jwt_algorithm"
    assert all(name in str(caught.value) for name in named), caught.value


@pytest.mark.parametrize("form", ["PEM", "JWK", "PKCS#12"])
def test_no_key_is_parsed_twice(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one connection, read and shown again and again, and a JWT for each request."""
    parsed = []
    for module, name in (
        (serialization, "load_pem_private_key"),
        (serialization.pkcs12, "load_key_and_certificates"),
        (jwt, "PyJWK"),
    ):
        original = getattr(module, name)

        def counted(*args: Any, _original: Any = original, **options: Any) -> Any:
            parsed.append(args)
            return _original(*args, **options)

        monkeypatch.setattr(module, name, counted)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    p12 = pkcs12.serialize_key_and_certificates(b"c", key, None, None, serialization.NoEncryption())
    text = {"PEM": pem(key), "JWK": jwk(key), "PKCS#12": base64.b64encode(p12).decode()}[form]
    given = connection(**KEY_METHOD, private_key=text)
    for _ in range(3):
        client = resolve(given, Policy()).settings
        for _ in range(3):
            build_token_request(client, client.server.url, now=0.0, entropy=bytes)
        assert certificate_expires_at(client) is None
        assert describe(given, Policy()).status is not None
    assert len(parsed) == 1


def test_a_certificate_that_the_method_has_no_use_for_is_warned_about() -> None:
    resolved = resolve(connection(certificate=issue_client().certificate), Policy())
    assert "certificate is ignored: auth_method client_secret_basic uses none" in resolved.warnings
    assert resolved.settings.network.certificate is None


UNUSED = {
    "jwt_algorithm": "HS512",
    "key_id": "2026-1",
    "jwt_lifetime": 240,
    "jwt_claims": ["tenant=emea"],
    "private_key_passphrase": "of-no-key",
}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("field", UNUSED)
def test_what_the_method_has_no_use_for_is_warned_about(field: str, method: str) -> None:
    resolved = resolve(connection(auth_method=method, **{field: UNUSED[field]}), Policy())
    assert resolved.warnings == (f"{field} is ignored: auth_method {method} uses none",)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_an_encoding_of_basic_is_for_basic(method: str) -> None:
    given = connection(auth_method=method, basic_encoding="raw", password="s" * 32)
    ignored = f"basic_encoding is ignored: auth_method {method} uses none"
    assert (ignored in resolve(given, Policy()).warnings) is (method != "client_secret_basic")


def test_what_signs_proofs_is_not_ignored() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"its-passphrase"),
    ).decode()
    given = {"private_key": locked, "private_key_passphrase": "its-passphrase", "jwt_algorithm": "ES384"}
    assert resolve(connection(dpop=True, **given), Policy()).warnings == ()
    without = resolve(connection(dpop=True, jwt_algorithm="ES384"), Policy())
    assert without.warnings == ("jwt_algorithm is ignored: auth_method client_secret_basic uses none",)
