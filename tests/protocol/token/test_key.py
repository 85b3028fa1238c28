"""Every leaf of the settings is part of the token's key, unless its field says otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.protocol import settings as s
from airflow_oauth_provider.protocol.call.dead_token import parse_sign
from airflow_oauth_provider.protocol.configured_server import Issuer, TokenEndpoint
from airflow_oauth_provider.protocol.credential_sources import AssertionFile, ExternalSource
from airflow_oauth_provider.protocol.leaves import leaves
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.token.key import client_key, credential_key, token_key
from airflow_oauth_provider.protocol.urls import Origin, Url, parse_url

# What changes no token: limits of the client, the API, displays.
NOT_IN_THE_KEY = {
    "request.allowed_scopes",
    "request.allowed_audiences",
    "retry.max_attempts",
    "retry.max_wait",
    "proof.private_key",  # its thumbprint is
    "proof.passphrase",
    "api.base_url",
    "api.origins",
    "api.headers",
    "api.probe_path",
    "api.refresh_on_status",
    "api.dead_when",
    "api.cool_down_on",
    "api.header_name",
    "api.header_scheme",
    "api.instance",
    "api.listed_hosts",
    "network.request_timeout",
    "network.token_host_listed",
    "custom.name",
    "custom.function",
    "assertion_file.folder",
    "assertion_file.content",
    "external",
    "api.listed_in",
    "category",
    "credential_expires_at",
    "profile",
}
OF_THE_CLIENT = {
    "server.url",
    "client_id",
    "auth_method",
    "client_secret",
    "assertion.private_key",
    "assertion.private_key_passphrase",
    "assertion.certificate",
    "custom.path",
    "assertion_file.path",
    "assertion_file.kind",
    "team",
}

HOW_IT_PRESENTS_ITSELF = {
    "request.query_params",
    "request.post_params",
    "request.secret_params",
    "request.headers",
    "request.secret_headers",
    "request.basic_encoding",
    "request.body_format",
    "request.grant_name",
    "assertion.algorithm",
    "assertion.key_id",
    "assertion.lifetime",
    "assertion.audience",
    "assertion.claims",
    "network.certificate.chain",
    "network.certificate.private_key",
    "network.certificate.private_key_passphrase",
}


def full_settings() -> s.ClientSettings:
    """Return settings in which no leaf has its default."""
    return s.ClientSettings(
        server=TokenEndpoint(parse_url("https://idp.example/token")),
        client_id="client",
        auth_method="private_key_jwt",
        client_secret=Secret("the-client-secret"),
        request=s.RequestSettings(
            scope=("read", "write"),
            include_scope=False,
            audience="audience",
            allowed_scopes=("other",),
            allowed_audiences=("other",),
            resources=("https://a.example", "https://b.example"),
            query_params=(("a", "1"),),
            post_params=(("b", "2"),),
            secret_params=(("c", Secret("secret-parameter")),),
            headers=(("D", "4"),),
            secret_headers=(("E", Secret("secret-header")),),
            basic_encoding="raw",
            body_format="json",
            grant_name="account_credentials",
            rich_requests='[{"type": "payment"}]',
        ),
        response=s.ResponseSettings(
            members=(("access_token", ("data", "token")),),
            expires_in_unit="minutes",
            tolerates=("created",),
            names_instance=True,
        ),
        retry=s.RetrySettings(1, 5.0),
        assertion=s.AssertionSettings(
            algorithm="RS256",
            key_id="key-1",
            lifetime=30.0,
            audience="https://aud.example",
            claims='{"a": 1}',
            private_key=Secret("private-key-material"),
            private_key_passphrase=Secret("key-passphrase"),
            certificate="PEM",
        ),
        proof=s.ProofSettings(
            enabled=True,
            private_key=Secret("proof-key-material"),
            passphrase=Secret("proof-key-passphrase"),
            algorithm="ES256",
            thumbprint="thumbprint-of-the-proof-key",
        ),
        api=s.ApiSettings(
            base_url=parse_url("https://api.example/"),
            origins=(Origin("https", "api.example", 443),),
            headers=(("F", "6"),),
            probe_path="/health",
            require_scopes=("read",),
            refresh_on_status=frozenset({401, 403}),
            dead_when=parse_sign("$.errors[*].code in 601"),
            cool_down_on=frozenset({503}),
            header_name="X-Token",
            header_scheme="Token",
            instance=s.InstancePlace("/v1", ("*.api.example",)),
            listed_hosts=("api.example",),
            listed_in="credentials",
        ),
        network=s.NetworkSettings(
            ca_certificates="PEM",
            verify_tls=False,
            request_timeout=3.0,
            proxy_url=Secret("http://user:proxy-password@proxy.example"),
            token_host_listed=True,
            certificate=s.PresentedCertificate(
                "PEM", Secret("secret-of-the-certificate"), Secret("secret-passphrase")
            ),
        ),
        custom=s.CustomProvider("name", "company.tokens", lambda _: None),
        assertion_file=AssertionFile("/run/tokens/idp", "jwt-spiffe", "/run/tokens", Secret("an-assertion")),
        external=ExternalSource("erp", "file"),
        category="finance",
        profile="fapi2",
        credential_expires_at=2e9,
        team="blue",
    )


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the path of each leaf, from the classes and not by the code under test."""
    for field in dataclasses.fields(value):
        inner, path = getattr(value, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(inner) and not isinstance(inner, Url | ExternalSource):
            yield from paths(inner, f"{path}.")
        else:
            yield path


def at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name)
    return value


def with_leaf(value: Any, path: str, leaf: Any) -> Any:
    name, _, rest = path.partition(".")
    return dataclasses.replace(value, **{name: with_leaf(getattr(value, name), rest, leaf) if rest else leaf})


def another(value: Any) -> Any:
    """Return a value of the same type that means something else."""
    if isinstance(value, tuple):
        return (*value[:-1], another(value[-1]))
    changes: dict[type, Any] = {
        bool: lambda: not value,
        Secret: lambda: Secret(value.reveal() + "-changed"),
        str: lambda: value + "x",
        int: lambda: value + 1,
        float: lambda: value + 1,
        Url: lambda: dataclasses.replace(value, path="/other"),
        Origin: lambda: dataclasses.replace(value, host="other.example"),
        frozenset: lambda: value | {499},
    }
    return changes.get(type(value), lambda: max)()


def at_their_default(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the path of each leaf that has the default of its field."""
    for field in dataclasses.fields(value):
        inner, path = getattr(value, field.name), f"{prefix}{field.name}"
        if inner == field.default:
            yield path
        elif dataclasses.is_dataclass(inner) and not isinstance(inner, Url):
            yield from at_their_default(inner, f"{path}.")


def test_no_leaf_is_left_out() -> None:
    """One that somebody adds needs a value here: with its default, a secret would not be seen below."""
    assert list(at_their_default(full_settings())) == []


ALL_PATHS = sorted(paths(full_settings()))
SECRET_PATHS = [path for path in ALL_PATHS if "Secret(" in repr(at(full_settings(), path))]


@pytest.mark.fault("F08")
@pytest.mark.parametrize("path", ALL_PATHS)
def test_a_changed_leaf_is_another_key_unless_marked(path: str) -> None:
    settings = full_settings()
    changed = with_leaf(settings, path, another(at(settings, path)))
    assert (token_key(changed) != token_key(settings)) == (path not in NOT_IN_THE_KEY)
    assert (credential_key(changed) != credential_key(settings)) == (path in OF_THE_CLIENT)
    refused_alone = path in OF_THE_CLIENT | HOW_IT_PRESENTS_ITSELF
    assert (client_key(changed) != client_key(settings)) == refused_alone


@pytest.mark.fault("F08")
@pytest.mark.parametrize(
    "path", [path for path in ALL_PATHS if "secret" in repr(at(full_settings(), path)).lower()]
)
def test_every_secret_leaf_is_masked(path: str) -> None:
    settings = full_settings()
    value = at(settings, path)
    secrets = [value] if isinstance(value, Secret) else [secret for _, secret in value]
    assert secrets
    masked = set(masking.secret_forms(settings))
    for secret in secrets:
        assert secret in settings.secrets()
        assert secret.reveal() in masked


@pytest.mark.fault("F09")
@pytest.mark.parametrize("written", [60, 60.0])
def test_a_default_that_is_written_is_the_default(written: float) -> None:
    server = TokenEndpoint(parse_url("https://idp.example/token"))
    plain = s.ClientSettings(server, "client", client_secret=Secret("s" * 32))
    settings = dataclasses.replace(plain, assertion=s.AssertionSettings(lifetime=written))
    assert token_key(settings) == token_key(plain)
    assert list(leaves(plain)) == list(leaves(settings))


@pytest.mark.fault("F09")
def test_a_number_is_the_same_in_any_type() -> None:
    settings = full_settings()
    whole = with_leaf(settings, "assertion.lifetime", 30)
    assert token_key(whole) == token_key(settings)
    assert token_key(with_leaf(settings, "assertion.lifetime", 31)) != token_key(settings)


def test_an_issuer_is_no_token_endpoint() -> None:
    url = parse_url("https://idp.example/token")
    one = dataclasses.replace(full_settings(), server=TokenEndpoint(url))
    other = dataclasses.replace(full_settings(), server=Issuer(url, str(url)))
    listed = dataclasses.replace(full_settings(), server=Issuer(url, str(url), ("idp.example",)))
    assert token_key(one) != token_key(other)
    assert token_key(other) == token_key(listed), "an allow-list shapes no token"


def test_the_order_of_scopes_and_resources_makes_no_difference() -> None:
    settings = full_settings()
    request = settings.request
    turned = dataclasses.replace(request, scope=request.scope[::-1], resources=request.resources[::-1])
    assert token_key(dataclasses.replace(settings, request=turned)) == token_key(settings)
