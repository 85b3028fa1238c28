"""Each authentication method, verified as a server would: by decoding, and by the public key."""

from __future__ import annotations

import ast
import base64
import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

import airflow_oauth_provider
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, load_signing_key
from airflow_oauth_provider.protocol.client.methods import METHODS, basic_value
from airflow_oauth_provider.protocol.client.proof import ASSERTION_TYPE
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings, Issuer
from airflow_oauth_provider.protocol.token.request import TokenRequest, build_token_request
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, SECRET, settings
from tests.support.servers.certificates import issue_client

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
JWT_SECRET = "0123456789abcdef0123456789abcdef"


def pem(key: Any, passphrase: str | None = None) -> str:
    locked = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode())


def certificate_for(key: Any) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "my-client")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


LOCKED_PKCS12 = base64.b64encode(
    pkcs12.serialize_key_and_certificates(b"client", EC_KEY, None, None, BestAvailableEncryption(b"right"))
).decode()


def thumbprint(certificate: x509.Certificate) -> str:
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def build(given: ClientSettings, entropy: int = 1) -> TokenRequest:
    return build_token_request(given, given.server.url, now=NOW, entropy=lambda size: bytes([entropy]) * size)


def form(request: TokenRequest) -> dict[str, list[str]]:
    return parse_qs(request.body.decode(), keep_blank_values=True)


def header(request: TokenRequest, name: str) -> str:
    (value,) = [value for key, value in request.headers if key.lower() == name.lower()]
    return value


def key_settings(material: str, passphrase: str | None = None, **options: Any) -> ClientSettings:
    return settings(
        auth_method="private_key_jwt",
        client_secret=None,
        assertion={
            "private_key": Secret(material),
            "private_key_passphrase": Secret(passphrase) if passphrase else None,
            **options,
        },
    )


def assertion(given: ClientSettings, entropy: int = 1) -> str:
    fields = form(build(given, entropy))
    assert fields["client_id"] == ["my-client"]
    assert fields["client_assertion_type"] == [ASSERTION_TYPE]
    assert "client_secret" not in fields
    return fields["client_assertion"][0]


def claims(signed: str, key: Any, algorithm: str) -> dict[str, Any]:
    options: Any = {"verify_exp": False, "verify_iat": False}
    read: dict[str, Any] = jwt.decode(
        signed, key, [algorithm], audience="https://idp.example/token", options=options
    )
    return read


class TestBasic:
    """RFC 6749 §2.3.1."""

    @pytest.mark.parametrize(
        "client_id, secret",
        [
            pytest.param("my-client", "a+b %c&d=e/f", id="awkward-secret[C19]"),
            pytest.param("https://id:8443/x", SECRET, id="colon-in-the-id[C18]"),
            pytest.param("clé", "pässword-€", id="beyond-ASCII"),
        ],
    )
    def test_both_parts_are_form_encoded(self, client_id: str, secret: str) -> None:
        request = build(settings(client_id=client_id, client_secret=Secret(secret)))
        value = header(request, "Authorization")
        expected = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
        assert value == "Basic " + base64.b64encode(expected.encode()).decode()
        decoded = base64.b64decode(value.removeprefix("Basic ")).decode()
        assert "+" not in decoded, "a space is %20, which every server reads"
        assert [unquote(part) for part in decoded.split(":")] == [client_id, secret]

    def test_raw_is_a_named_switch(self) -> None:
        given = settings(client_secret=Secret("a+b %c"), request={"basic_encoding": "raw"})
        value = header(build(given), "Authorization").removeprefix("Basic ")
        assert base64.b64decode(value) == b"my-client:a+b %c"

    def test_nothing_of_it_is_in_body_or_url(self) -> None:
        request = build(settings())
        assert form(request) == {"grant_type": ["client_credentials"]}
        assert request.url == "https://idp.example/token"

    def test_the_value_counts_as_confidential(self) -> None:
        value = basic_value("my-client", Secret(SECRET), "rfc6749").removeprefix("Basic ")
        assert {SECRET, value} <= set(build(settings()).redactor.values)


def test_post_has_the_secret_in_the_body_only() -> None:
    request = build(settings(auth_method="client_secret_post"))
    assert form(request)["client_id"] == ["my-client"]
    assert form(request)["client_secret"] == [SECRET]
    assert "authorization" not in {name.lower() for name, _ in request.headers}
    assert SECRET not in request.url


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
            (RSA_KEY, "RS256", None),
            (RSA_KEY, "PS256", "PS256"),
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
        certificate = certificate_for(RSA_KEY)
        locked = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        data = pkcs12.serialize_key_and_certificates(b"client", RSA_KEY, certificate, None, locked)
        signed = assertion(key_settings(base64.encodebytes(data).decode(), passphrase))
        assert claims(signed, RSA_KEY.public_key(), "RS256")
        assert jwt.get_unverified_header(signed)["x5t#S256"] == thumbprint(certificate)

    def test_a_certificate_beside_the_pem_is_named_too(self) -> None:
        certificate = certificate_for(EC_KEY)
        text = pem(EC_KEY) + certificate.public_bytes(Encoding.PEM).decode()
        assert jwt.get_unverified_header(assertion(key_settings(text)))["x5t#S256"] == thumbprint(certificate)

    @pytest.mark.parametrize(
        "key, algorithm, kind",
        [
            (RSA_KEY, "RS256", jwt.algorithms.RSAAlgorithm),
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


class TestTheRestOfTheRequest:
    """RFC 6749 §4.4.2, §3.2; RFC 8707 §2."""

    def test_parameters(self) -> None:
        request = build(
            settings(
                request={
                    "scope": ("b", "a"),
                    "audience": "https://api.example",
                    "resources": ("https://a.example", "https://b.example"),
                    "query_params": (("tenant", "e&f"),),
                    "post_params": (("realm", "prod"), ("empty", "")),
                    "secret_params": (("pin", Secret("1234567")),),
                }
            )
        )
        assert form(request) == {
            "grant_type": ["client_credentials"],
            "scope": ["b a"],
            "audience": ["https://api.example"],
            "resource": ["https://a.example", "https://b.example"],
            "realm": ["prod"],
            "pin": ["1234567"],
        }
        assert request.url == "https://idp.example/token?tenant=e%26f"
        assert "1234567" in request.redactor.values

    def test_scope_can_be_left_out(self) -> None:
        assert "scope" not in form(build(settings(request={"scope": ("a",), "include_scope": False})))

    def test_own_headers_replace_the_usual_ones(self) -> None:
        request = build(
            settings(
                request={"headers": (("accept", "*/*"),), "secret_headers": (("X-Key", Secret("gate-key")),)}
            )
        )
        assert header(request, "Accept") == "*/*"
        assert header(request, "X-Key") == "gate-key"
        assert header(request, "Accept-Encoding") == "identity"
        assert "gate-key" in request.redactor.values

    def test_nothing_secret_in_its_repr(self) -> None:
        request = build(settings(auth_method="client_secret_post"))
        assert SECRET not in repr(request)


class TestCertificates:
    """RFC 8705 §2."""

    @pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
    def test_the_body_says_who_it_is_and_nothing_proves_it(self, method: str) -> None:
        request = build(settings(auth_method=method, client_secret=None))
        assert form(request) == {"grant_type": ["client_credentials"], "client_id": ["my-client"]}
        assert "authorization" not in {name.lower() for name, _ in request.headers}

    def test_the_advice_names_what_the_server_has_to_know(self) -> None:
        issued = issue_client(name="orders")
        options = {"private_key": Secret(issued.key), "certificate": issued.certificate}
        by_name, by_thumbprint = (
            " ".join(METHODS[name].advice(settings(auth_method=name, client_secret=None, assertion=options)))
            for name in ("tls_client_auth", "self_signed_tls_client_auth")
        )
        assert '"CN=orders"' in by_name
        own = x509.load_pem_x509_certificate(issued.certificate.encode())
        assert thumbprint(own) in by_thumbprint

    def test_a_signed_jwt_names_the_certificate_of_the_field(self) -> None:
        issued = issue_client()
        own = x509.load_pem_x509_certificate(issued.certificate.encode())
        signed = assertion(key_settings(issued.key, certificate=issued.certificate))
        assert jwt.get_unverified_header(signed)["x5t#S256"] == thumbprint(own)


PACKAGE = Path(airflow_oauth_provider.__file__).parent
# Where the methods are defined, and the settings' default is one of them.
KNOWN = {"protocol/client/methods.py", "protocol/settings.py"}


def literals(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_other_module_names_a_method() -> None:
    for file in PACKAGE.rglob("*.py"):
        named = {text for text in literals(file) if text in METHODS or text.endswith("_jwt")}
        assert not named or str(file.relative_to(PACKAGE)) in KNOWN, file


def test_the_form_offers_all() -> None:
    assert dict(FIELDS_BY_KEY["auth_method"].choices) == {name: METHODS[name].label for name in METHODS}
