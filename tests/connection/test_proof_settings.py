"""The field ``dpop``, and which key proves possession."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings, ProofSettings
from airflow_oauth_provider.protocol.token.key import token_key
from tests.protocol.dpop.test_proof_key import pem

SECRET = "a-client-secret-of-thirty-two-bytes-and-more"
KEY, RSA = pem(ec.generate_private_key(ec.SECP256R1())), pem(rsa.generate_private_key(65537, 2048))


def settings_of(password: str | None = SECRET, **extra: Any) -> ClientSettings:
    connection = Connection(
        conn_id="my_api",
        conn_type="oauth2_client_credentials",
        host="https://idp.example/token",
        login="my-client",
        password=password,
        extra=json.dumps(extra),
    )
    return resolve(connection, Policy()).settings


def refused(**arguments: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(**arguments)
    return caught.value


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_a_key_that_nothing_else_needs_signs_proofs(method: str) -> None:
    settings = settings_of(auth_method=method, dpop=True, private_key=KEY)
    assert settings.proof.private_key == Secret(KEY)
    assert settings.proof.algorithm == "ES256"
    assert settings.proof.thumbprint == load_proof_key(Secret(KEY)).thumbprint
    assert settings.assertion.private_key is None
    assert Secret(KEY) in settings.secrets()
    assert refused(auth_method=method, private_key=KEY).field == "private_key", "a leftover without dpop"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({}, id="no-key"),
        pytest.param({"auth_method": "private_key_jwt", "password": None, "private_key": KEY}, id="its-own"),
    ],
)
def test_else_each_token_gets_a_key_of_its_own(arguments: dict[str, Any]) -> None:
    settings = settings_of(dpop=True, **arguments)
    assert settings.proof == ProofSettings(enabled=True)
    assert token_key(settings) != token_key(settings_of(**arguments))


def test_another_key_is_another_token_and_another_spelling_is_not() -> None:
    other = pem(ec.generate_private_key(ec.SECP256R1()))
    keys = {token_key(settings_of(dpop=True, private_key=key)) for key in (KEY, other, f"\n{KEY}\n")}
    assert len(keys) == 2


def test_an_encrypted_key_with_its_passphrase() -> None:
    form = serialization.PrivateFormat.PKCS8
    encryption = serialization.BestAvailableEncryption(b"the-passphrase")
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()
    arguments: dict[str, Any] = {"dpop": True, "private_key": sealed}
    settings = settings_of(private_key_passphrase="the-passphrase", **arguments)
    assert settings.proof.thumbprint == load_proof_key(Secret(pem(key))).thumbprint
    assert refused(**arguments).field == "private_key_passphrase"


def test_an_algorithm_may_be_chosen() -> None:
    assert settings_of(dpop=True, private_key=RSA).proof.algorithm == "RS256"
    assert settings_of(dpop=True, private_key=RSA, jwt_algorithm="PS256").proof.algorithm == "PS256"
    assert refused(dpop=True, private_key=KEY, jwt_algorithm="PS256").field == "jwt_algorithm"


def test_the_algorithm_of_assertions_is_not_that_of_proofs() -> None:
    settings = settings_of(auth_method="client_secret_jwt", dpop=True, private_key=KEY, jwt_algorithm="HS256")
    assert (settings.assertion.algorithm, settings.proof.algorithm) == ("HS256", "ES256")


@pytest.mark.parametrize("key", ["damaged", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_key_that_is_none_names_its_field(key: str) -> None:
    error = refused(dpop=True, private_key=key)
    assert (error.field, error.conn_id) == ("private_key", "my_api")
    assert "AAAA" not in str(error)


def test_a_custom_provider_would_keep_the_key() -> None:
    error = refused(auth_method="custom", dpop=True, custom_provider="mine")
    assert error.field == "dpop"


def test_a_text_of_false_is_false() -> None:
    assert settings_of(dpop="false").proof == ProofSettings()


def test_a_workload_may_bring_a_key_for_proofs() -> None:
    """Its identity comes from a file, and needs none."""
    policy = Policy(token_hosts=("idp.example",), assertion_folders=("/run/tokens",))
    connection = Connection(
        conn_id="my_api",
        conn_type="oauth2_client_credentials",
        host="https://idp.example/token",
        login="my-client",
        extra=json.dumps(
            {
                "auth_method": "workload_identity",
                "assertion_file": "/run/tokens/idp",
                "dpop": True,
                "private_key": KEY,
            }
        ),
    )
    settings = resolve(connection, policy).settings
    assert settings.proof.private_key == Secret(KEY)
    assert settings.credential is None
