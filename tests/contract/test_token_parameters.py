"""One connection, many calls: each use has the token that it asked for, and never another's."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_oauth_provider.auth import OAuth2Auth, bearer_token_callable
from airflow_oauth_provider.authorizations import AuthorizationStatus, authorize, describe, forget, revoke
from airflow_oauth_provider.client import report
from airflow_oauth_provider.exceptions import ConfigurationError, TokenEndpointError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.manager import shared
from tests.support.servers.scripted import Delay, Json, RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service
from tests.support.sides import Side

A, B = "https://a.example", "https://b.example"
SETS: list[dict[str, Any]] = [
    {"scope": "s1"},
    {"scope": "s2"},
    {"scope": ["s1", "s2"]},
    {"scope": "s1", "audience": A},
    {"scope": "s1", "audience": B},
    {"audience": A},
    {"resource": A},
    {"resource": [A, B]},
    {"tenant": "beta"},
    {"scope": "s1", "audience": A, "resource": A, "tenant": "gamma"},
]
"""Ten distinct sets of parameters."""
RESPELT: list[dict[str, Any]] = [{"scope": "s2 s1"}, {"resource": [B, A]}]
"""Two of them once more."""
EXTRA: dict[str, Any] = {
    "scope": "own",
    "post_params": ["realm={tenant}"],
    "tenant": "acme",
    "tenants": ["beta", "gamma"],
}
PROGRAM = """
import json, sys, threading
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
sets = json.load(sys.stdin)
def use(chosen, results):
    results.append([chosen, OAuth2Hook("my_api", "GET", **chosen).run("x").json()["authorization"]])
results = []
threads = [threading.Thread(target=use, args=(chosen, results)) for chosen in sets * 2]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(results))
"""


def named_token(request: RecordedRequest) -> ScriptedResponse:
    """Grant a token that says what was asked for."""
    form = {name: values[0] for name, values in request.form.items()}
    resource = request.form.get("resource", [])
    chosen = {
        "scope": form.get("scope", ""),
        "audience": form.get("audience"),
        "resource": resource,
        "tenant": form.get("realm"),
    }
    return Delay(0.05, token_json(name_of(chosen), scope=form.get("scope", "")))


def name_of(chosen: dict[str, Any]) -> str:
    """Return the token that belongs to a set of parameters."""
    chosen = {"scope": "own", "audience": None, "resource": (), "tenant": "acme"} | chosen
    parts = [chosen["audience"] or "", chosen["tenant"] or ""]
    for several in (chosen["scope"], chosen["resource"]):
        parts += sorted(several.split() if isinstance(several, str) else several)
    return "tok-" + "-".join(parts).replace("https://", "")


@pytest.fixture
def one(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A connection ``my_api`` of the environment, and a store that processes share."""
    report.reset()
    service.token = named_token
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**EXTRA))
    return service


def by_threads(_: Service) -> list[tuple[dict[str, Any], str]]:
    crowd = (SETS + RESPELT) * 20
    barrier = threading.Barrier(len(crowd))

    def use(chosen: dict[str, Any]) -> tuple[dict[str, Any], str]:
        hook = OAuth2Hook("my_api", "GET", **chosen)
        barrier.wait(60)
        return chosen, hook.run("x").json()["authorization"]

    with ThreadPoolExecutor(len(crowd)) as pool:
        return list(pool.map(use, crowd))


def by_coroutines(_: Service) -> list[tuple[dict[str, Any], str]]:
    async def use(hook: OAuth2Hook, chosen: dict[str, Any]) -> tuple[dict[str, Any], str]:
        response = await hook.arun("x")
        return chosen, response.json()["authorization"]

    async def everything() -> list[tuple[dict[str, Any], str]]:
        hooks = [(OAuth2Hook("my_api", "GET", **chosen), chosen) for chosen in (SETS + RESPELT) * 30]
        try:
            return await asyncio.gather(*(use(hook, chosen) for hook, chosen in hooks))
        finally:
            for hook, _ in hooks:
                await hook.aclose()

    return asyncio.run(everything())


def by_processes(_: Service) -> list[tuple[dict[str, Any], str]]:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    options: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "text": True,
        "env": os.environ,
    }
    running = [subprocess.Popen(command, **options) for _ in range(6)]
    for process in running:
        process.stdin.write(json.dumps(SETS + RESPELT))  # type: ignore[union-attr]
        process.stdin.close()  # type: ignore[union-attr]
        process.stdin = None
    results: list[tuple[dict[str, Any], str]] = []
    for process in running:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        results += [(chosen, token) for chosen, token in json.loads(out.splitlines()[-1])]
    return results


@pytest.mark.parametrize(
    "crowd", [by_threads, by_coroutines, pytest.param(by_processes, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("used_before", [True, False])
def test_nobody_gets_a_token_of_other_parameters(
    one: Service, crowd: Callable[[Service], list[tuple[dict[str, Any], str]]], used_before: bool
) -> None:
    if used_before:
        OAuth2Hook("my_api").get_token()
    asked_before, before = len(one.token_requests), describe(one.connection(**EXTRA))
    results = crowd(one)
    assert len(results) >= 100
    wrong = [(chosen, token) for chosen, token in results if token != f"Bearer {name_of(chosen)}"]
    assert wrong == []
    assert len(one.token_requests) - asked_before == len(SETS), "one request for each distinct set"
    after = describe(one.connection(**EXTRA))
    expected = AuthorizationStatus.AUTHORIZED if used_before else AuthorizationStatus.NOT_YET
    assert (after.status, after.report()) == (expected, before.report())


def hook_of(service: Service, **chosen: Any) -> OAuth2Hook:
    extra = chosen.pop("extra", {})
    return OAuth2Hook(method="GET", connection=service.connection(scope="own", **extra), **chosen)


def test_each_parameter_replaces_the_connections(side: Side, service: Service) -> None:
    extra = {"audience": "https://a.example", "resource": ["https://r.example"]}
    resource = ["https://s.example", "https://t.example"]
    hook = hook_of(service, scope=["x", "y"], audience="https://b.example", resource=resource, extra=extra)
    side.run(hook, "x")
    form = service.token_requests[0].form
    assert (form["scope"], form["audience"], form["resource"]) == (["x y"], ["https://b.example"], resource)
    side.run(hook_of(service, scope="", extra=extra), "x")
    form = service.token_requests[1].form
    assert ("scope" in form, form["audience"]) == (False, ["https://a.example"])


def test_a_connection_bounds_what_is_asked_for(side: Side, service: Service) -> None:
    extra = {"allowed_scopes": ["x"], "allowed_audiences": ["https://a.example"]}
    side.run(hook_of(service, extra=extra), "x")
    side.run(hook_of(service, extra=extra, scope="x", audience="https://a.example"), "x")
    for chosen in ({"scope": "x y"}, {"audience": "https://b.example"}):
        with pytest.raises(ConfigurationError) as refused:
            side.run(hook_of(service, extra=extra, **chosen), "x")
        assert (refused.value.conn_id, refused.value.field) == ("my_api", f"allowed_{next(iter(chosen))}s")
    assert len(service.token_requests) == 2


def test_a_tenant_of_the_connection(side: Side, service: Service) -> None:
    extra = {"post_params": ["realm={tenant}"], "tenant": "acme", "tenants": ["beta"]}
    side.run(hook_of(service, extra=extra), "x")
    side.run(hook_of(service, extra=extra, tenant="beta"), "x")
    assert [request.form["realm"] for request in service.token_requests] == [["acme"], ["beta"]]
    with pytest.raises(ConfigurationError, match="not one of the connection's tenants"):
        side.run(hook_of(service, extra=extra, tenant="gamma"), "x")
    assert len(service.token_requests) == 2


def test_a_refused_scope_leaves_the_status_as_it_is(one: Service) -> None:
    OAuth2Hook("my_api").get_token()
    before = describe(one.connection(**EXTRA))
    one.token = lambda _: Json({"error": "invalid_scope"}, 400)
    with pytest.raises(TokenEndpointError):
        OAuth2Hook("my_api", scope="no").get_token()
    assert describe(one.connection(**EXTRA)).report() == before.report()


def test_what_other_uses_have_from_memory_counts_for_none_of_its_own(one: Service) -> None:
    own, use = OAuth2Hook("my_api"), OAuth2Hook("my_api", scope="s1")
    for hook in (own, *[use] * 20):
        hook.get_token()
    own.get_token(force=True)  # what was counted meanwhile is recorded with it
    shown = describe(one.connection(**EXTRA))
    assert (shown.requests, shown.hits) == (2, 0)


@pytest.mark.parametrize("chosen", [{"scope": "s1"}, {"tenant": "beta"}, {"resource": A}])
def test_a_connection_that_was_edited_since_stays_so(
    one: Service, chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    OAuth2Hook("my_api").get_token()
    edited = EXTRA | {"scope": "edited"}
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", one.environment(**edited))
    before = describe(one.connection(**edited))
    assert before.status is AuthorizationStatus.EDITED
    hook = OAuth2Hook("my_api", "GET", **chosen)
    for _ in range(2):
        hook.run("x")
    hook.get_token(force=True)
    assert describe(one.connection(**edited)).report() == before.report()


def test_required_scopes_do_not_apply_to_a_scope_of_ones_own(side: Side, service: Service) -> None:
    service.token = named_token
    hook = hook_of(service, scope="other", extra={"require_scopes": "own"})
    assert (
        side.run(hook, "x").json()["authorization"] == f"Bearer {name_of({'scope': 'other', 'tenant': None})}"
    )


def revoked(connection: Any) -> None:
    revoke(connection, f"{connection.host}/revoke")


@pytest.mark.parametrize("ending", [forget, authorize, revoked], ids=["forget", "authorize", "revoke"])
def test_their_tokens_go_with_the_connections_own(one: Service, ending: Callable[[Any], object]) -> None:
    one.token = lambda request: Json({}) if request.target.endswith("/revoke") else named_token(request)
    OAuth2Hook("my_api").get_token()
    hooks = [OAuth2Hook("my_api", **chosen) for chosen in SETS]
    for hook in hooks:
        hook.get_token()
    ending(one.connection(**EXTRA))
    for others in (hooks, [OAuth2Hook("my_api", **chosen) for chosen in SETS]):
        before = len(one.token_requests)
        for hook in others:
            hook.get_token()
        assert len(one.token_requests) - before == (len(SETS) if others is hooks else 0)
    ending(one.connection(**EXTRA))
    shared.clear()  # as another process, which has the store alone
    before = len(one.token_requests)
    for chosen in SETS:
        OAuth2Hook("my_api", **chosen).get_token()
    assert len(one.token_requests) - before == len(SETS)


def test_auth_and_function_take_them_too(one: Service) -> None:
    auth = OAuth2Auth("my_api", scope="s1", audience="https://a.example")
    response = requests.get(f"{one.base_url}/x", auth=auth, timeout=5)
    assert response.json()["authorization"] == f"Bearer {name_of({'scope': 's1', 'audience': A})}"
    assert bearer_token_callable("my_api", scope="s1")() == name_of({"scope": "s1"})


def test_a_hook_that_travels_keeps_them(one: Service) -> None:
    hook = pickle.loads(pickle.dumps(OAuth2Hook("my_api", "GET", scope="s1")))
    assert hook.run("x").json()["authorization"] == f"Bearer {name_of({'scope': 's1'})}"


def test_a_dead_token_is_renewed_with_the_same_parameters(side: Side, service: Service) -> None:
    numbers = itertools.count(1)
    service.token = lambda request: token_json(f"tok-{request.form['scope'][0]}-{next(numbers)}")
    service.dead.add("tok-x-1")
    assert side.run(hook_of(service, scope="x"), "x").json()["authorization"] == "Bearer tok-x-2"


@pytest.mark.parametrize("chosen", [{"scope": "a\0"}, {"tenant": "a.b"}, {"resource": "x"}, {"audience": 7}])
def test_what_cannot_be_meant_is_refused_when_it_is_given(chosen: dict[str, Any]) -> None:
    for made in (OAuth2Hook, OAuth2Auth, bearer_token_callable):
        with pytest.raises(ConfigurationError) as refused:
            made("my_api", **chosen)
        assert (refused.value.conn_id, refused.value.field) == ("my_api", next(iter(chosen)))
