"""What single uses of a connection ask for instead of what it says."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.connection.token_parameters import (
    NONE_CHOSEN,
    TokenParameters,
    chosen_parameters,
)
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.token.key import credential_key, token_key
from tests.connection.test_checks import connection
from tests.support.builders import settings

GIVEN = settings(
    request={"scope": ("read",), "audience": "a", "resources": ("https://r.example",)},
    api={"require_scopes": ("read",)},
)


@pytest.mark.parametrize(
    ("chosen", "parameters"),
    [
        pytest.param({}, NONE_CHOSEN, id="nothing"),
        pytest.param({"scope": "b  a b"}, TokenParameters(scope=("b", "a")), id="words"),
        pytest.param({"scope": ["b", "a"]}, TokenParameters(scope=("b", "a")), id="list"),
        pytest.param({"scope": {"b", "a"}}, TokenParameters(scope=("a", "b")), id="set"),
        pytest.param({"scope": ""}, TokenParameters(scope=()), id="none-at-all"),
        pytest.param({"audience": "x"}, TokenParameters(audience="x"), id="audience"),
        pytest.param(
            {"resource": "https://a.example https://b.example"},
            TokenParameters(resource=("https://a.example", "https://b.example")),
            id="resources",
        ),
        pytest.param({"tenant": "acme"}, TokenParameters(tenant="acme"), id="tenant"),
    ],
)
def test_what_a_caller_may_give(chosen: dict[str, Any], parameters: TokenParameters) -> None:
    assert TokenParameters.of(**chosen) == parameters


@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        pytest.param({"scope": "a\nb"}, "scope", id="control-characters"),
        pytest.param({"scope": 'a"b'}, "scope", id="quote"),
        pytest.param({"scope": "ä"}, "scope", id="not-ascii"),
        pytest.param({"scope": 7}, "scope", id="number"),
        pytest.param({"scope": ["a", 7]}, "scope", id="number-in-list"),
        pytest.param({"scope": True}, "scope", id="boolean"),
        pytest.param({"scope": "a" * 9000}, "scope", id="long"),
        pytest.param({"scope": ["a" * 5000, "b" * 5000]}, "scope", id="long-list"),
        pytest.param({"audience": "a\0b"}, "audience", id="NUL"),
        pytest.param({"audience": "\ud800"}, "audience", id="half-a-character"),
        pytest.param({"audience": ["a"]}, "audience", id="several-audiences"),
        pytest.param({"resource": "orders"}, "resource", id="no-uri"),
        pytest.param({"resource": "https://a.example#x"}, "resource", id="fragment"),
        pytest.param({"tenant": "evil.example/"}, "tenant", id="no-tenant"),
        pytest.param({"tenant": "a.b"}, "tenant", id="two-labels"),
        pytest.param({"tenant": ["acme"]}, "tenant", id="several-tenants"),
    ],
)
def test_what_a_caller_may_not_give(chosen: dict[str, Any], field: str) -> None:
    given = dict.fromkeys(("scope", "audience", "resource", "tenant")) | chosen
    with pytest.raises(ConfigurationError) as refused:
        chosen_parameters("my_api", **given)
    assert (refused.value.field, refused.value.conn_id) == (field, "my_api")


@pytest.mark.parametrize(
    "chosen",
    [
        {"scope": "write"},
        {"scope": ""},
        {"audience": "b"},
        {"audience": ""},
        {"resource": "https://s.example"},
    ],
    ids=str,
)
def test_each_is_part_of_the_tokens_key_and_none_of_the_clients(chosen: dict[str, Any]) -> None:
    derived = TokenParameters.of(**chosen).applied(GIVEN)
    assert token_key(derived) != token_key(GIVEN)
    assert credential_key(derived) == credential_key(GIVEN)


def test_what_is_not_chosen_stays_and_nothing_chosen_changes_nothing() -> None:
    derived = TokenParameters.of(scope="write").applied(GIVEN)
    assert derived.request.scope == ("write",)
    assert (derived.request.audience, derived.request.resources) == ("a", ("https://r.example",))
    assert NONE_CHOSEN.applied(GIVEN) is GIVEN


def test_required_scopes_speak_of_the_connections_own_scope() -> None:
    assert TokenParameters.of(scope="write").applied(GIVEN).api.require_scopes == ()
    assert TokenParameters.of(audience="b").applied(GIVEN).api.require_scopes == ("read",)


def test_a_connection_that_leaves_the_scope_out() -> None:
    silent = settings(request={"scope": ("read",), "include_scope": False}, api={"require_scopes": ("read",)})
    assert TokenParameters.of(scope="write").applied(silent) is silent
    assert TokenParameters.of(scope="write", audience="b").applied(silent).request.scope == ("read",)


BOUND = settings(
    request={
        "scope": ("read",),
        "audience": "a",
        "allowed_scopes": ("write", "list"),
        "allowed_audiences": ("https://b.example",),
    },
)


@pytest.mark.parametrize(
    ("chosen", "allowed"),
    [
        pytest.param({"scope": "write list"}, True, id="listed"),
        pytest.param({"scope": "read write"}, True, id="the-connections-own"),
        pytest.param({"scope": ""}, True, id="none-at-all"),
        pytest.param({"scope": "write delete"}, False, id="one-of-two"),
        pytest.param({"scope": "Write"}, False, id="another-spelling"),
        pytest.param({"audience": "a"}, True, id="own-audience"),
        pytest.param({"audience": "https://b.example"}, True, id="listed-audience"),
        pytest.param({"audience": "https://b.example/"}, False, id="another-audience"),
        pytest.param({"resource": "https://r.example"}, True, id="a-resource-is-not-bound"),
    ],
)
def test_what_the_connection_allows(chosen: dict[str, Any], allowed: bool) -> None:
    parameters = TokenParameters.of(**chosen)
    assert parameters.applied(GIVEN) is not GIVEN, "a connection that lists nothing allows any"
    if allowed:
        parameters.applied(BOUND)
        return
    (name,) = chosen
    with pytest.raises(ConfigurationError, match="nor is it the connection's own") as refused:
        parameters.applied(BOUND)
    assert refused.value.field == f"allowed_{name}s"


def test_a_list_of_scopes_holds_scopes() -> None:
    given = resolve(connection(allowed_scopes=["a", "b"], allowed_audiences=["c d"]), Policy()).settings
    assert (given.request.allowed_scopes, given.request.allowed_audiences) == (("a", "b"), ("c d",))
    with pytest.raises(ConfigurationError) as refused:
        resolve(connection(allowed_scopes=["a b"]), Policy())
    assert refused.value.field == "allowed_scopes"


def test_a_tenant_that_the_connection_lists() -> None:
    given = connection(
        base_url="https://{tenant}.api.example",
        scope="{tenant}.read",
        tenant="acme",
        tenants=["beta", "Gamma-7"],
    )
    for tenant, host in ((None, "acme"), ("acme", "acme"), ("beta", "beta"), ("Gamma-7", "gamma-7")):
        chosen = resolve(given, Policy(), tenant=tenant).settings
        assert str(chosen.api.base_url) == f"https://{host}.api.example/"
        assert chosen.request.scope == (f"{tenant or 'acme'}.read",)


@pytest.mark.parametrize(
    ("tenants", "tenant", "field"),
    [
        ([], "beta", "tenant"),
        (["beta"], "BETA", "tenant"),
        (["a.b"], None, "tenants"),
        (["a/"], None, "tenants"),
    ],
)
def test_a_tenant_that_it_does_not_list(tenants: list[str], tenant: str | None, field: str) -> None:
    given = connection(scope="{tenant}.read", tenant="acme", tenants=tenants)
    with pytest.raises(ConfigurationError) as refused:
        resolve(given, Policy(), tenant=tenant)
    assert refused.value.field == field
