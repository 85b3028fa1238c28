"""A probe is one call with the token just granted: whatever comes of it, no other token is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import Target, authorize, check_all, describe
from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.servers.scripted import Drip, Json, ScriptedResponse, Silent, token_json
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch

Act = Callable[[Any], tuple[bool, str]]


def by_authorize(connection: Any) -> tuple[bool, str]:
    result = authorize(connection)
    return result.ok, result.message


def by_check(connection: Any) -> tuple[bool, str]:
    (result,) = check_all([Target.of(connection)])
    return result.ok, result.message


def by_test(connection: Any) -> tuple[bool, str]:
    return OAuth2Hook(connection=connection).test_connection()


@pytest.fixture(autouse=True)
def _store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")


@pytest.fixture(params=[by_authorize, by_check, by_test])
def act(request: pytest.FixtureRequest) -> Act:
    return request.param  # type: ignore[no-any-return]


LATER: dict[str, Callable[[], ScriptedResponse]] = {
    "good": lambda: token_json("tok-two"),
    "503": lambda: Json({}, 503),
    "429": lambda: Json({}, 429, [("Retry-After", "600")]),
    "silence": Silent,
    "invalid_client": lambda: Json({"error": "invalid_client"}, 401),
}


@pytest.mark.parametrize("later", LATER)
def test_a_token_that_the_api_refuses(
    service: Service, act: Act, later: str, another_process: Callable[[], None]
) -> None:
    numbers = itertools.count(1)
    service.token = lambda _: token_json("tok-one") if next(numbers) == 1 else LATER[later]()
    service.dead = {"tok-one"}
    connection = service.connection(probe_path="/health", max_wait=3600)
    watch = Stopwatch()
    ok, message = act(connection)
    assert watch.seconds < 2
    assert not ok
    assert "401" in message
    assert "tok-one" not in message
    assert (len(service.token_requests), len(service.calls)) == (1, 1)
    another_process()
    state = describe(connection)
    assert (state.refusal, state.status.value) == (None, "authorized"), "nothing is held against it"
    assert OAuth2Client("my_api", connection).get_token().value == "tok-one", "a task goes on"


def test_a_token_that_ends_at_once_is_probed_all_the_same(service: Service, act: Act) -> None:
    service.token = lambda _: token_json("tok", expires_in=0)
    ok, message = act(service.connection(probe_path="/health"))
    assert ok, message
    assert len(service.token_requests) == 1
    assert [call.header("Authorization") for call in service.calls] == ["Bearer tok"]


def test_an_echo_of_the_token_is_not_shown(service: Service, act: Act) -> None:
    service.token = lambda _: token_json("the-token-itself", expires_in=0)
    challenge = 'Bearer error="invalid_token", error_description="the-token-itself is unknown"'
    service.api = lambda _: Json({}, 401, [("WWW-Authenticate", challenge)])
    ok, message = act(service.connection(probe_path="/health"))
    assert not ok
    assert "is unknown" in message
    assert "the-token-itself" not in message


def test_an_api_that_drips_holds_nobody_for_long(
    service: Service, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_oauth_provider.hooks.connection_test.PROBE_TIMEOUT", 1.0)
    service.api = lambda _: Drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000, 0.1)
    watch = Stopwatch()
    ok, message = act(service.connection(probe_path="/health"))
    assert not ok, message
    assert watch.seconds < 2


def test_a_check_registers_no_mask(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The masker gets slower with each, and Airflow's channel is for one thread."""
    monkeypatch.setattr(masking, "_mask", lambda _: pytest.fail("a mask"))
    service.dead = {"tok-1"}
    by_check(service.connection(probe_path="/health"))
    assert len(service.calls) == 1
