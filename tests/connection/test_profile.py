"""``profile = fapi2``: each refusal names the rule and the field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from airflow_oauth_provider.client.server_endpoints import given_url
from airflow_oauth_provider.connection.profile import bad_profile
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client import methods
from airflow_oauth_provider.protocol.client.algorithms import KeyKind
from airflow_oauth_provider.protocol.client.methods import METHODS, Method
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.introspection import INTROSPECTION
from airflow_oauth_provider.protocol.token.key import token_key
from tests.connection.test_checks import connection
from tests.support.builders import settings
from tests.support.keys import BY_ALGORITHM, KEYS, RSA, pem
from tests.support.servers.client_certificates import client_certificate

ISSUER = "https://idp.example/tenant"
# FAPI 2.0 Security Profile §5.3.3.1.
ADMITTED = {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
BY_KEY: dict[str, Any] = {
    "host": ISSUER,
    "discovery": True,
    "profile": "fapi2",
    "password": None,
    "auth_method": "private_key_jwt",
    "private_key": pem(RSA),
    "dpop": True,
}
ISSUED = client_certificate("client.example", None)
BY_CERTIFICATE: dict[str, Any] = {
    **BY_KEY,
    "auth_method": "tls_client_auth",
    "private_key": ISSUED.key,
    "certificate": ISSUED.certificate,
    "dpop": False,
}


def settings_of(given: dict[str, Any], **changes: Any) -> ClientSettings:
    return resolve(connection(**{**given, **changes}), Policy(allow_unverified_tls=True)).settings


@pytest.mark.parametrize(
    ("given", "changes"),
    [
        pytest.param(BY_KEY, {}, id="key"),
        pytest.param(BY_KEY, {"jwt_audience": ISSUER}, id="audience-that-is-the-issuer"),
        pytest.param(BY_CERTIFICATE, {}, id="certificate"),
        pytest.param(BY_CERTIFICATE, {"auth_method": "self_signed_tls_client_auth"}, id="self-signed"),
        pytest.param(BY_CERTIFICATE, {"dpop": True}, id="certificate-and-key"),
    ],
)
def test_what_it_allows(given: dict[str, Any], changes: dict[str, Any]) -> None:
    client = settings_of(given, **changes)
    assert client.profile == "fapi2"
    standard = settings_of(given, **changes, profile="standard", jwt_algorithm=client.assertion.algorithm)
    assert token_key(client) == token_key(standard), "it shapes no token"


@pytest.mark.parametrize(
    ("kind", "algorithm"), [(KeyKind.RSA, "PS256"), (KeyKind.P256, "ES256"), (KeyKind.ED25519, "EdDSA")]
)
def test_the_default_algorithm_is_one_that_it_allows(kind: KeyKind, algorithm: str) -> None:
    assert settings_of(BY_KEY, private_key=pem(KEYS[kind])).assertion.algorithm == algorithm


def test_a_method_that_it_does_not_name_is_refused_whatever_it_needs() -> None:
    other = replace(METHODS["private_key_jwt"], name="attest_jwt_client_auth", in_fapi2=False)
    given = replace(settings_of(BY_KEY), auth_method=other.name)
    with mock.patch.dict(vars(methods), METHODS={**METHODS, other.name: other}):
        (problem,) = bad_profile(given)
    assert problem[0] == "auth_method"
    assert "no secret is shared" in problem[1]


@pytest.mark.parametrize("algorithm", BY_ALGORITHM)
def test_algorithms(algorithm: str) -> None:
    given = {**BY_KEY, "private_key": pem(BY_ALGORITHM[algorithm]), "jwt_algorithm": algorithm}
    if algorithm in {"PS256", "ES256", "EdDSA", "Ed25519"}:
        assert settings_of(given).assertion.algorithm == algorithm
        return
    with pytest.raises(ConfigurationError, match=r"PS256, ES256, EdDSA or Ed25519 .*§5\.4\.1") as caught:
        settings_of(given)
    assert caught.value.field == "jwt_algorithm"
    assert algorithm in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        pytest.param(
            {"auth_method": "client_secret_basic", "password": "s" * 40, "private_key": None},
            "auth_method",
            "private_key_jwt, tls_client_auth or self_signed_tls_client_auth: no secret is shared",
            id="Basic",
        ),
        pytest.param(
            {"auth_method": "client_secret_jwt", "password": "s" * 40, "private_key": None},
            "auth_method",
            "no secret is shared",
            id="HMAC",
        ),
        pytest.param({"dpop": False}, "dpop", "tokens are bound", id="bearer"),
        pytest.param({"discovery": False}, "discovery", "metadata only", id="token-url"),
        pytest.param(
            {"jwt_audience": f"{ISSUER}/token"}, "jwt_audience", "for the issuer alone", id="audience"
        ),
        pytest.param({"host": "http://127.0.0.1:8080"}, "host", "must be https", id="clear"),
        pytest.param({"verify_tls": False}, "verify_tls", "must be on", id="unverified"),
        pytest.param(
            {"private_key": pem(KEYS[KeyKind.P384])}, "private_key", "is EC P-384, which signs", id="curve"
        ),
        pytest.param(
            {**BY_CERTIFICATE, "header_name": "X-Token"}, "header_name", "in Authorization", id="header"
        ),
        pytest.param(
            {**BY_CERTIFICATE, "header_scheme": "Token"}, "header_scheme", "Bearer or DPoP", id="scheme"
        ),
        *(
            pytest.param({key: value}, key, "those of RFC 6749", id=key)
            for key, value in (
                ("body_format", "json"),
                ("grant_name", "account_credentials"),
                ("tolerate", ["created"]),
                ("expires_in_unit", "minutes"),
                ("answer_fields", ["access_token=$.jwt"]),
            )
        ),
    ],
)
def test_what_it_refuses(changes: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(BY_KEY, **changes)
    assert caught.value.field == field
    assert says in str(caught.value)
    assert "profile fapi2: FAPI 2.0 Security Profile §5." in str(caught.value)


def test_a_custom_provider_is_none_of_its_methods() -> None:
    given = {**BY_KEY, "auth_method": "custom", "custom_provider": "corp", "dpop": False}
    policy = Policy(custom_providers={"corp": "tests.connection.test_resolving.corporate_token"})
    with pytest.raises(ConfigurationError) as caught:
        resolve(connection(**given), policy)
    assert caught.value.field == "auth_method"


def test_an_address_of_the_callers_own_is_refused() -> None:
    client = settings_of(BY_KEY)
    with pytest.raises(ConfigurationError, match=r"metadata only .*§5\.3\.3\.1") as caught:
        given_url(client, Policy(), f"{ISSUER}/introspect", INTROSPECTION)
    assert caught.value.field == INTROSPECTION.setting


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_it_asks_each_method(method: Method) -> None:
    client = settings(auth_method=method.name, profile="fapi2", client_secret=None)
    refused = "auth_method" in {field for field, _ in bad_profile(client)}
    assert refused is (method.name not in ADMITTED)
    assert not list(bad_profile(settings(auth_method=method.name)))
