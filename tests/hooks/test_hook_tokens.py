"""The tokens that a hook hands out, by the scopes of a call, too."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.authorizations import describe
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.servers.scripted import RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service
from tests.support.sides import Side

SNOWFLAKE = "https://snowflake.example/.default"


def hook_of(service: Service, **extra: Any) -> OAuth2Hook:
    return OAuth2Hook(connection=service.connection(scope="own", **extra))


def named_token(request: RecordedRequest) -> ScriptedResponse:
    """Grant a token that says what was asked for."""
    return token_json(f"tok-{request.form.get('scope', ['none'])[0].replace(' ', '+')}")


@pytest.fixture
def lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "other, my_api")
    service.token = named_token
    return service


def test_scopes_of_a_call_replace_the_connections(side: Side, lent: Service) -> None:
    hook = hook_of(lent)
    for scopes, token in (((), "own"), (("x", "y"), "x+y"), (("x y",), "x+y"), ((SNOWFLAKE,), SNOWFLAKE)):
        for _ in range(3):
            assert side.call(hook, "get_token", *scopes).token == f"tok-{token}"
    assert [request.form["scope"] for request in lent.token_requests] == [["own"], ["x y"], [SNOWFLAKE]]


def test_status_and_own_token_stay_as_they_are(lent: Service) -> None:
    hook, before = hook_of(lent), describe(lent.connection(scope="own"))
    hook.get_token("x")
    assert describe(lent.connection(scope="own")).report() == before.report()
    assert hook.get_token().value == "tok-own"


def test_many_callers_with_different_scopes_on_one_hook(lent: Service) -> None:
    hook = hook_of(lent)

    def use(number: int) -> tuple[str, str]:
        scope = f"s{number % 10}"
        return scope, hook.get_token(scope).token

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(use, range(500)))
    assert all(token == f"tok-{scope}" for scope, token in results)
    assert len(lent.token_requests) == 10


@pytest.mark.parametrize("ids", [None, "", "my_apis, MY_API"])
def test_a_connection_that_is_not_lent(
    side: Side, service: Service, ids: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ids is not None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", ids)
    hook = hook_of(service)
    line = '"lent_connections = ' + ", ".join(filter(None, (ids, "my_api"))) + '"'
    for scopes in (("x",), ("",), ("own",)):
        with pytest.raises(ConfigurationError) as refused:
            side.call(hook, "get_token", *scopes)
        assert (refused.value.conn_id, refused.value.field) == ("my_api", "lent_connections")
        assert line in str(refused.value)
    assert service.token_requests == []
    assert side.call(hook, "get_token").value == "tok-1", "its own needs no lending"


def test_all_connections_are_lent(side: Side, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "*")
    assert side.call(hook_of(service), "get_token", "x").value == "tok-1"


@pytest.mark.parametrize("first", [True, False, None, 1, ["x"], ("x",), b"x"])
def test_what_is_no_text_is_a_mistake_that_names_force(side: Side, lent: Service, first: Any) -> None:
    hook = hook_of(lent)
    for scopes in ((first,), ("x", first)):
        with pytest.raises(TypeError, match="force=True"):
            side.call(hook, "get_token", *scopes)
    assert lent.token_requests == []


@pytest.mark.parametrize("scope", ["a\nb", 'a"b', "ä", "a" * 9000])
def test_a_scope_that_cannot_be_meant(side: Side, lent: Service, scope: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        side.call(hook_of(lent), "get_token", scope)
    assert (refused.value.conn_id, refused.value.field) == ("my_api", "scope")


@pytest.mark.parametrize("scopes", [(), ("x",)])
def test_claims_and_force_ask_anew(side: Side, lent: Service, scopes: tuple[str, ...]) -> None:
    numbers = itertools.count(1)
    lent.token = lambda _: token_json(f"tok-{next(numbers)}")
    hook = hook_of(lent)
    options: list[dict[str, Any]] = [{}, {"claims": ""}, {"claims": "{}"}, {"force": True}, {}]
    values = [side.call(hook, "get_token", *scopes, **given, enable_cae=True).value for given in options]
    assert values == ["tok-1", "tok-1", "tok-2", "tok-3", "tok-3"]
    assert not any(b"claims" in request.body for request in lent.token_requests)


def test_a_tenant_of_the_connection(side: Side, lent: Service) -> None:
    hook = hook_of(lent, post_params=["realm={tenant}"], tenant="acme", tenants=["beta"])
    for scopes, tenant in itertools.product(((), ("x",)), (None, "acme", "beta")):
        side.call(hook, "get_token", *scopes, tenant_id=tenant)
    realms = [(request.form["scope"][0], request.form["realm"][0]) for request in lent.token_requests]
    assert realms == [("own", "acme"), ("own", "beta"), ("x", "acme"), ("x", "beta")]
    with pytest.raises(ConfigurationError, match="not one of the connection's tenants"):
        side.call(hook, "get_token", tenant_id="gamma")


def test_a_connection_without_scope_drops_them(side: Side, lent: Service) -> None:
    hook = hook_of(lent, include_scope=False)
    assert {side.call(hook, "get_token", *scopes).value for scopes in ((), ("x",), ("y",))} == {"tok-none"}
    assert len(lent.token_requests) == 1


def test_what_the_hook_has_chosen_stays_chosen(lent: Service) -> None:
    connection = lent.connection(scope="own")
    OAuth2Hook(connection=connection, scope="mine", audience="https://a.example").get_token("x")
    (request,) = lent.token_requests
    assert (request.form["scope"], request.form["audience"]) == (["x"], ["https://a.example"])


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda hook: pickle.loads(pickle.dumps(hook))])
def test_a_hook_that_was_used_so_can_travel(
    lent: Service, travel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", lent.environment(scope="own"))
    hook = OAuth2Hook("my_api")
    hook.get_token("x")
    other, credential = travel(hook), travel(hook.credential())
    assert (other.get_token("x").token, credential.get_token("y").token) == ("tok-x", "tok-y")
    assert len(lent.token_requests) == 2


def test_its_tokens_are_redacted(side: Side, lent: Service) -> None:
    lent.token = lambda request: token_json("a-token-for-a-scope-that-is-" + request.form["scope"][0])
    hook = hook_of(lent)
    side.call(hook, "get_token")
    side.call(hook, "get_token", "x")
    assert hook.redact("it was a-token-for-a-scope-that-is-x") == "it was ***"


def test_a_credential_of_dag_code_needs_no_lending(service: Service) -> None:
    service.token = named_token
    credential = hook_of(service).credential()
    token = credential.get_token(SNOWFLAKE, claims=None, tenant_id=None, enable_cae=True)
    assert (token.token, token.expires_on) == (f"tok-{SNOWFLAKE}", int(token.expires_at))
    assert credential.get_token().token == "tok-own"


@pytest.mark.airflow
def test_a_stock_hook_asks_by_its_own_scope(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Airflow's Snowflake and PostgreSQL hooks do: by the hook of the connection that is named."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", lent.environment(scope="own"))
    for _ in range(3):
        hook = Connection.get("my_api").get_hook()
        assert hook.get_token(SNOWFLAKE).token == f"tok-{SNOWFLAKE}"
    assert len(lent.token_requests) == 1, "the scope is none of force"


@pytest.mark.parametrize("dpop", [False, True])
@pytest.mark.parametrize("returned", [lambda token: token, lambda token: {"tokens": [token]}])
def test_a_token_that_a_task_returns_does_not_go_into_xcom(
    returned: Callable[[Any], Any], dpop: bool, service: Service
) -> None:
    """Airflow writes all fields of a dataclass that does not say otherwise."""
    try:
        from airflow.sdk.serde import serialize
    except ImportError:  # before Airflow 3.2
        from airflow.serialization.serde import serialize
    service.token = lambda _: token_json(token_type="DPoP" if dpop else "Bearer")
    token = hook_of(service, dpop=dpop).get_token()
    with pytest.raises(TypeError, match="ask the hook for one where it is needed"):
        serialize(returned(token))
