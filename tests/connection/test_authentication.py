from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.connection.authentication import (
    bad_authentication,
    named_origin,
    with_algorithm,
    without_unused,
)
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.urls import UrlError
from tests.protocol.client.test_methods import EC_KEY, pem
from tests.support.builders import settings

KEY = {"private_key": Secret(pem(EC_KEY))}
SIGNED: dict[str, Any] = {"auth_method": "client_secret_jwt", "client_secret": Secret("s" * 32)}


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
    found = problems(Policy(token_hosts=hosts), **SIGNED, assertion={"audience": audience})
    assert found == ([] if good else ["jwt_audience"])


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
