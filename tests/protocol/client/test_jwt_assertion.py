"""Assertions, verified as a server would: by the secret or the public key."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    pkcs12,
)

from airflow_oauth_provider.protocol.client.algorithms import KeyKind
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, load_signing_key
from airflow_oauth_provider.protocol.configured_server import Issuer
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, settings
from tests.support.keys import KEYS, RSA, pem
from tests.support.servers.certificates import issue_client
from tests.support.token_requests import assertion, certificate_for, claims, key_settings, thumbprint

EC_KEY, ED_KEY = KEYS[KeyKind.P256], KEYS[KeyKind.ED25519]
JWT_SECRET = "0123456789abcdef0123456789abcdef"
LOCKED_PKCS12 = base64.b64encode(
    pkcs12.serialize_key_and_certificates(b"client", EC_KEY, None, None, BestAvailableEncryption(b"right"))
).decode()


class TestAssertions:
    """RFC 7523 §3."""

    def test_client_secret_jwt(self) -> None:
        signed = assertion(settings(auth_method="client_secret_jwt", client_secret=Secret(JWT_SECRET)))
        assert claims(signed, JWT_SECRET, "HS256") == {
            "iss": "my-client",
            "sub": "my-client",
            "aud": "https://idp.example/token",
            "jti": "01" * 16,
            "iat": int(NOW),
            "exp": int(NOW) + 60,
        }

    @pytest.mark.parametrize(
        "key, algorithm, chosen",
        [
            (RSA, "RS256", None),
            (RSA, "PS256", "PS256"),
            (EC_KEY, "ES256", None),
            (ED_KEY, "EdDSA", None),
        ],
        ids=["RS256", "PS256", "ES256", "EdDSA"],
    )
    def test_private_key_jwt(self, key: Any, algorithm: str, chosen: str | None) -> None:
        signed = assertion(key_settings(pem(key), algorithm=chosen))
        assert claims(signed, key.public_key(), algorithm)["sub"] == "my-client"
        assert jwt.get_unverified_header(signed) == {"alg": algorithm, "typ": "JWT"}

    def test_a_passphrase_opens_the_pem(self) -> None:
        signed = assertion(key_settings(pem(EC_KEY, "the passphrase"), "the passphrase"))
        assert claims(signed, EC_KEY.public_key(), "ES256")

    @pytest.mark.parametrize("passphrase", [None, "the passphrase"], ids=["open", "locked"])
    def test_pkcs12_brings_its_certificate(self, passphrase: str | None) -> None:
        certificate = certificate_for(RSA)
        locked = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        data = pkcs12.serialize_key_and_certificates(b"client", RSA, certificate, None, locked)
        signed = assertion(key_settings(base64.encodebytes(data).decode(), passphrase))
        assert claims(signed, RSA.public_key(), "RS256")
        assert jwt.get_unverified_header(signed)["x5t#S256"] == thumbprint(certificate)

    def test_a_certificate_beside_the_pem_is_named_too(self) -> None:
        certificate = certificate_for(EC_KEY)
        text = pem(EC_KEY) + certificate.public_bytes(Encoding.PEM).decode()
        assert jwt.get_unverified_header(assertion(key_settings(text)))["x5t#S256"] == thumbprint(certificate)

    @pytest.mark.parametrize(
        "key, algorithm, kind",
        [
            (RSA, "RS256", jwt.algorithms.RSAAlgorithm),
            (EC_KEY, "ES256", jwt.algorithms.ECAlgorithm),
            (ED_KEY, "EdDSA", jwt.algorithms.OKPAlgorithm),
        ],
        ids=["RSA", "EC", "OKP"],
    )
    def test_jwk_with_its_own_kid(self, key: Any, algorithm: str, kind: Any) -> None:
        jwk = {**json.loads(kind.to_jwk(key)), "kid": "key-7"}
        signed = assertion(key_settings(json.dumps(jwk)))
        assert claims(signed, key.public_key(), algorithm)
        assert jwt.get_unverified_header(signed)["kid"] == "key-7"

    def test_key_id_of_the_connection_wins(self) -> None:
        jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY)), "kid": "key-7"}
        signed = assertion(key_settings(json.dumps(jwk), key_id="mine"))
        assert jwt.get_unverified_header(signed)["kid"] == "mine"

    def test_lifetime_audience_and_additional_claims(self) -> None:
        given = key_settings(
            pem(EC_KEY),
            lifetime=3600.0,
            audience="https://idp.example",
            claims='{"groups": ["a"], "tenant": "emea"}',
        )
        read = jwt.decode(
            assertion(given),
            EC_KEY.public_key(),
            ["ES256"],
            audience="https://idp.example",
            options={"verify_exp": False},
        )
        assert read["exp"] - read["iat"] == 3600
        assert (read["tenant"], read["groups"]) == ("emea", ["a"])

    @pytest.mark.parametrize("method", ["client_secret_jwt", "private_key_jwt"])
    @pytest.mark.parametrize(
        ("audience", "expected"),
        [(None, "https://idp.example/tenant"), ("https://idp.example/token", "https://idp.example/token")],
        ids=["issuer", "jwt_audience"],
    )
    def test_a_known_issuer_is_the_only_audience(
        self, method: str, audience: str | None, expected: str
    ) -> None:
        """draft-ietf-oauth-rfc7523bis: one string, and the JWT says what it is."""
        issuer = Issuer(parse_url("https://idp.example/tenant"), "https://idp.example/tenant")
        secret = Secret(JWT_SECRET) if method == "client_secret_jwt" else None
        options: dict[str, Any] = {"audience": audience}
        if secret is None:
            options["private_key"] = Secret(pem(EC_KEY))
        given = settings(server=issuer, auth_method=method, client_secret=secret, assertion=options)
        signed = assertion(given)
        read = jwt.decode(signed, options={"verify_signature": False})
        assert read["aud"] == expected
        assert jwt.get_unverified_header(signed)["typ"] == "client-authentication+jwt"

    def test_every_request_has_an_assertion_of_its_own(self) -> None:
        given = settings(auth_method="client_secret_jwt", client_secret=Secret(JWT_SECRET))
        first, second = assertion(given, 1), assertion(given, 2)
        assert claims(first, JWT_SECRET, "HS256")["jti"] != claims(second, JWT_SECRET, "HS256")["jti"]

    def test_a_parsed_key_is_kept(self) -> None:
        material = Secret(pem(EC_KEY))
        assert load_signing_key(material, None) is load_signing_key(Secret(material.reveal()), None)

    @pytest.mark.fault("F27")
    @pytest.mark.parametrize(
        "material, passphrase, field",
        [
            (pem(EC_KEY, "right"), None, "private_key_passphrase"),
            (pem(EC_KEY), "superfluous", "private_key_passphrase"),
            (pem(EC_KEY, "right"), "wrong", "private_key"),
            (pem(EC_KEY)[:100], None, "private_key"),
            ("bm90IGEga2V5", None, "private_key"),
            ("no key at all!", None, "private_key"),
            ("schlüssel", None, "private_key"),
            (
                pem(EC_KEY) + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
                None,
                "private_key",
            ),
            (LOCKED_PKCS12, None, "private_key"),
            (LOCKED_PKCS12, "wrong", "private_key"),
            ('{"kty": "EC"', None, "private_key"),
            ('{"kty": "oct", "d": "x"}', None, "private_key"),
            ('{"kty": "EC", "crv": "P-256", "d": "x"}', None, "private_key"),
            (
                json.dumps(json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key()))),
                None,
                "private_key",
            ),
        ],
        ids=[
            "locked",
            "not-locked",
            "wrong-passphrase",
            "cut-PEM",
            "no-PKCS12",
            "text",
            "not-ASCII",
            "cut-certificate",
            "locked-PKCS12",
            "wrong-passphrase-PKCS12",
            "cut-JWK",
            "oct",
            "incomplete",
            "public",
        ],
    )
    def test_unusable_keys(self, material: str, passphrase: str | None, field: str) -> None:
        with pytest.raises(KeyMaterialError) as caught:
            load_signing_key(Secret(material), Secret(passphrase) if passphrase else None)
        assert caught.value.field == field
        assert caught.value.__context__ is caught.value.__cause__ is None, "they would hold the key"
        assert material not in str(caught.value)
        assert passphrase is None or passphrase not in str(caught.value).replace("wrong passphrase", "")

    def test_a_signed_jwt_names_the_certificate_of_the_field(self) -> None:
        issued = issue_client()
        own = x509.load_pem_x509_certificate(issued.certificate.encode())
        signed = assertion(key_settings(issued.key, certificate=issued.certificate))
        assert jwt.get_unverified_header(signed)["x5t#S256"] == thumbprint(own)
