"""The tenant's name in the fields of a connection."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.connection.tenant import (
    has_placeholder,
    is_tenant,
    is_well_placed,
    stands_in_host,
    with_tenant,
)
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.token.key import token_key
from tests.connection.test_checks import connection

LISTED = Policy(token_hosts=("idp.example", "*.idp.example"))


@pytest.mark.parametrize("name", ["acme", "064-CCJ-768", "A", "a" * 63])
def test_names(name: str) -> None:
    assert is_tenant(name)


@pytest.mark.parametrize(
    "name", ["", "a" * 64, "evil.example/", "a.b", "a/b", "a@b", "a:1", "a b", "a\n", "ä", "{tenant}", "%2e"]
)
def test_no_names(name: str) -> None:
    assert not is_tenant(name)


@pytest.mark.parametrize(
    "address",
    [
        "https://{tenant}.idp.example/token",
        "{tenant}.idp.example",
        "https://{tenant}.idp.example:8443/token",
        "https://login.{tenant}.idp.example",
        "https://{tenant}.idp.example./token",
        "https://{tenant}.bücher.example/token",
        "https://idp.example/{tenant}/token",
        "https://idp.example?tenant={tenant}",
        "https://idp.example/token",
    ],
)
def test_well_placed(address: str) -> None:
    assert is_well_placed(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://{tenant}.example/token",
        "https://{tenant}/token",
        "https://acme-{tenant}.idp.example/token",
        "https://{tenant}.{tenant}.idp.example/token",
        "https://idp.{tenant}",
        "https://idp.example:{tenant}/token",
        "https://{tenant}@idp.example/token",
        "https://{tenant}:x@idp.example/token",
        "https://{tenant}.example./token",
        "https://{tenant}.example.:8443/token",
        "https://{tenant}.example.\u00ad/token",
        "https://{tenant}.\u3002example/token",
        "https://{tenant}..example/token",
    ],
)
def test_badly_placed(address: str) -> None:
    assert stands_in_host(address)
    assert not is_well_placed(address)


def test_it_is_put_wherever_texts_are() -> None:
    value = (("realm", "{tenant}"), ("a", "b"))
    assert has_placeholder(value)
    assert with_tenant(value, "acme") == (("realm", "acme"), ("a", "b"))
    assert not has_placeholder((("realm", "acme"), 7, None))


def resolved(policy: Policy = LISTED, **content: Any) -> Any:
    return resolve(connection(**content), policy)


def test_every_field_that_may_hold_it() -> None:
    settings = resolved(
        host="https://{tenant}.idp.example/{tenant}/token",
        tenant="Acme-7",
        base_url="{tenant}.api.example/v1",
        scope="{tenant}.read write",
        audience="https://{tenant}.example",
        resource=["https://{tenant}.example/a"],
        query_params=["tenant={tenant}"],
        post_params=["realm={tenant}"],
    ).settings
    assert str(settings.server) == "https://acme-7.idp.example/Acme-7/token"
    assert str(settings.api.base_url) == "https://acme-7.api.example/v1"
    request = settings.request
    assert request.scope == ("Acme-7.read", "write")
    assert (request.audience, request.resources) == ("https://Acme-7.example", ("https://Acme-7.example/a",))
    assert (request.query_params, request.post_params) == ((("tenant", "Acme-7"),), (("realm", "Acme-7"),))


def test_it_is_as_if_the_name_had_been_written() -> None:
    placed = resolved(scope="{tenant}.read", tenant="acme").settings
    written = resolved(scope="acme.read").settings
    assert placed == written
    assert token_key(placed) == token_key(written)


def test_in_an_issuer() -> None:
    settings = resolved(host="https://{tenant}.idp.example", discovery=True, tenant="acme").settings
    assert str(settings.server) == "https://acme.idp.example"


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        pytest.param({"scope": "{tenant}.read"}, "scope", "tenant is empty", id="no-tenant"),
        pytest.param({"scope": "{tenant}", "tenant": "a.b"}, "tenant", "letters", id="a-dot"),
        pytest.param(
            {"base_url": "https://{tenant}.api.example", "tenant": "evil.example/"},
            "tenant",
            "letters",
            id="a-slash",
        ),
        pytest.param(
            {"base_url": "https://{tenant}.example", "tenant": "acme"},
            "base_url",
            "two fixed",
            id="one-label-behind",
        ),
        pytest.param(
            {"host": "https://{tenant}.example/token", "tenant": "acme"},
            "host",
            "two fixed",
            id="one-label-behind-in-host",
        ),
        pytest.param(
            {"host": "https://{tenant}.other.example/token", "tenant": "acme"},
            "host",
            "acme.other.example is not in",
            id="not-listed",
        ),
        pytest.param(
            {"host": "https://{tenant}.idp.example/token", "tenant": "-acme"},
            "host",
            "access token URL",
            id="no-host",
        ),
    ],
)
def test_what_it_must_not_do(content: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        resolved(**content)
    assert refused.value.field == field


def test_in_a_token_host_it_needs_an_allow_list() -> None:
    """Airflow's Test route compares host and port only, and both stay the same for another tenant."""
    given = {"host": "https://{tenant}.idp.example/token", "tenant": "acme"}
    with pytest.raises(ConfigurationError, match="allowed_token_hosts") as refused:
        resolved(Policy(), **given)
    assert refused.value.field == "host"
    in_path = {"host": "https://idp.example/{tenant}/token", "tenant": "acme"}
    assert str(resolved(Policy(), **in_path).settings.server) == "https://idp.example/acme/token"


def test_a_tenant_that_no_field_has_deserves_a_warning() -> None:
    assert resolved(Policy(), tenant="acme").warnings == ("tenant is ignored: no field has {tenant}",)
    assert resolved(Policy(), tenant="acme", scope="{tenant}").warnings == ()


def test_tenants_that_no_field_has_deserve_a_warning() -> None:
    assert resolved(Policy(), tenants=["acme"]).warnings == ("tenants is ignored: no field has {tenant}",)


def test_a_use_whose_tenant_no_field_has_is_refused() -> None:
    """It would call whichever tenant the connection is for, and believe that it is the one it has chosen."""
    given = connection(tenants=["acme", "emea"], scope="read")
    with pytest.raises(ConfigurationError, match=r"no field of the connection has \{tenant\}") as refused:
        resolve(given, Policy(), tenant="emea")
    assert refused.value.field == "tenant"


def test_the_tenant_of_a_use_makes_no_host_that_the_deployment_does_not_list() -> None:
    given = connection(host="https://{tenant}.idp.example/token", tenant="acme", tenants=["emea", "apac"])
    policy = Policy(token_hosts=("acme.idp.example", "emea.idp.example"))
    assert str(resolve(given, policy, tenant="emea").settings.server) == "https://emea.idp.example/token"
    with pytest.raises(ConfigurationError, match=r"apac\.idp\.example is not in") as refused:
        resolve(given, policy, tenant="apac")
    assert refused.value.field == "host"
