"""What introspection and revocation refuse is remembered as what a token request refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.token.introspection import INTROSPECTION
from airflow_oauth_provider.protocol.token.revocation import REVOCATION
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens import endpoint_refusals
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.endpoint_refusals import EndpointRefusals
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.sealed_entries import refusals
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Store
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from airflow_oauth_provider.transport.stopping import NEVER, Stop, TaskStoppedError
from tests.support.builders import settings

pytestmark = pytest.mark.fault("P49", "P50")

URL = parse_url("https://idp.example/about")
REFUSED = InvalidClientError("no such client", status=401, error="invalid_client")
SETTINGS = settings()


@pytest.fixture(params=["memory", "file"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Sharing:
    store: Store = MemoryStore() if request.param == "memory" else FileStore(tmp_path / "store")
    return Sharing(store)


@pytest.fixture(autouse=True)
def _another_process() -> None:
    endpoint_refusals.clear()


class Server:
    """Counts the requests that reach it, and answers as it is told."""

    def __init__(self, error: OAuthError | None = None) -> None:
        self.error = error
        self.requests = 0

    def __call__(self) -> str:
        self.requests += 1
        if self.error is not None:
            raise self.error.for_connection("")
        return "the answer"


def endpoint(
    sharing: Sharing, *, kind: Any = INTROSPECTION, own: bool = True, **changes: Any
) -> EndpointRefusals:
    return EndpointRefusals(changes.pop("given", SETTINGS), sharing, kind, changes.pop("url", URL), own=own)


def ask(
    refusing: EndpointRefusals, server: Callable[[], Any], seconds: float = 5.0, stop: Stop = NEVER
) -> Any:
    return refusing.asked(server, Budget.of(this_moment(), seconds), stop)


def refused(refusing: EndpointRefusals, server: Server, seconds: float = 5.0) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        ask(refusing, server, seconds)
    return caught.value


def granted(at: float | None = None) -> AccessToken:
    at = time.time() if at is None else at
    return AccessToken("the-token", "Bearer", at + 3600, at)


@pytest.mark.parametrize(
    "error", [REFUSED, TokenEndpointError("no", status=401)], ids=["invalid_client", "bare-401"]
)
def test_a_refused_client_costs_one_request(sharing: Sharing, error: OAuthError) -> None:
    server = Server(error)
    for _ in range(3):
        assert type(refused(endpoint(sharing), server)) is type(error)
    assert server.requests == 1


def test_it_is_remembered_for_a_minute(sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
    server, clock = Server(REFUSED), time.time()
    monkeypatch.setattr(time, "time", lambda: clock)
    refused(endpoint(sharing), server)
    clock += 59
    refused(endpoint(sharing), server)
    assert server.requests == 1
    clock += 2
    server.error = None
    assert ask(endpoint(sharing), server) == "the answer"


def test_a_store_that_loses_it_does_not_matter(sharing: Sharing) -> None:
    server = Server(REFUSED)
    refused(endpoint(sharing), server)
    refused(endpoint(Sharing(MemoryStore())), server)
    assert server.requests == 1


def test_it_counts_as_one_of_the_token_endpoint(sharing: Sharing) -> None:
    refused(endpoint(sharing), Server(REFUSED))
    error, seconds = Entries(SETTINGS, sharing).standing() or (None, None)
    assert isinstance(error, InvalidClientError)
    assert seconds == 0
    assert Entries(SETTINGS, sharing).status().in_a_row == 1


@pytest.mark.parametrize("own", [True, False])
def test_but_not_where_a_token_shows_that_the_client_is_known(sharing: Sharing, own: bool) -> None:
    """Nor where it is another server."""
    entries = Entries(SETTINGS, sharing)
    if own:
        entries.granted(granted(time.time() - 60))
    refused(endpoint(sharing, own=own), Server(REFUSED))
    assert entries.standing() is None


def test_what_the_token_endpoint_refused_holds_here_too(sharing: Sharing) -> None:
    Entries(SETTINGS, sharing).refused(REFUSED, budget=60)
    server = Server()
    assert isinstance(refused(endpoint(sharing), server), InvalidClientError)
    assert isinstance(refused(endpoint(sharing, kind=REVOCATION), server), InvalidClientError)
    assert server.requests == 0
    assert ask(endpoint(sharing, own=False), server), "another server may think otherwise"


@pytest.mark.parametrize("code", ["invalid_scope", "invalid_target"])
def test_a_refused_scope_is_nothing_to_it(sharing: Sharing, code: str) -> None:
    Entries(SETTINGS, sharing).refused(TokenEndpointError("no", status=400, error=code), budget=60)
    assert ask(endpoint(sharing), Server()) == "the answer"


@pytest.mark.parametrize(
    "error",
    [
        TokenEndpointError("no", status=400, error="unsupported_token_type"),
        TokenEndpointError("no", status=400, error="invalid_request"),
        TokenEndpointError("no", status=403),
        TransportError("no", retryable=True),
    ],
    ids=["type", "request", "403", "transport"],
)
def test_what_concerns_one_token_is_not_remembered(sharing: Sharing, error: OAuthError) -> None:
    server = Server(error)
    refused(endpoint(sharing), server)
    refused(endpoint(sharing), server)
    assert server.requests == 2


BUSY = TokenEndpointError("busy", status=429, retry_after=120.0, retryable=True)


def test_who_was_told_to_wait_does_not_ask(sharing: Sharing) -> None:
    server = Server(BUSY)
    refused(endpoint(sharing), server)
    error = refused(endpoint(sharing), server)
    assert isinstance(error, TokenEndpointError)
    assert error.retry_after == pytest.approx(120, abs=60)
    assert server.requests == 1
    assert Entries(SETTINGS, sharing).standing() is None, "the token endpoint may be less busy"
    assert ask(endpoint(sharing, kind=REVOCATION), Server()), "and so may another endpoint"


def test_a_busy_token_endpoint_is_a_busy_server(sharing: Sharing) -> None:
    Entries(SETTINGS, sharing).refused(BUSY, budget=60)
    server = Server()
    refused(endpoint(sharing), server)
    assert server.requests == 0


def test_a_short_rest_is_waited_for(sharing: Sharing) -> None:
    refused(endpoint(sharing), Server(replace_retry_after(BUSY, 0.3)))
    began = time.time()
    assert ask(endpoint(sharing), Server()) == "the answer"
    assert time.time() - began >= 0.25


def replace_retry_after(error: TokenEndpointError, seconds: float) -> TokenEndpointError:
    return TokenEndpointError("busy", status=error.status, retry_after=seconds, retryable=True)


def test_a_token_that_was_granted_since_ends_it(sharing: Sharing) -> None:
    refused(endpoint(sharing), Server(REFUSED))
    Entries(SETTINGS, sharing).granted(granted(time.time() + 0.01))
    assert ask(endpoint(sharing), Server()) == "the answer"


def test_another_endpoint_and_another_credential_are_asked(sharing: Sharing) -> None:
    refused(endpoint(sharing, own=False), Server(REFUSED))
    server = Server()
    assert ask(endpoint(sharing, own=False, url=parse_url("https://idp.example/other")), server)
    assert ask(endpoint(sharing, own=False, kind=REVOCATION), server)
    other = replace(SETTINGS, client_id="another-client")
    assert ask(endpoint(sharing, own=False, given=other), server)


class TestTogether:
    """Nothing is known yet, and many come at once."""

    def run(self, sharing: Sharing, ask_server: Callable[[], Any], callers: int = 20) -> list[Any]:
        def one(_: int) -> Any:
            try:
                return ask(endpoint(sharing), ask_server, 30)
            except OAuthError as error:
                return error

        with ThreadPoolExecutor(callers) as threads:
            return list(threads.map(one, range(callers)))

    def test_one_wrong_secret_is_one_request(self, sharing: Sharing) -> None:
        server = Server(REFUSED)

        def slow() -> Any:
            time.sleep(0.2)
            return server()

        assert all(isinstance(result, InvalidClientError) for result in self.run(sharing, slow))
        assert server.requests == 1

    def test_once_the_client_is_known_nobody_waits(self, sharing: Sharing) -> None:
        ask(endpoint(sharing), Server())
        barrier = threading.Barrier(20)

        def wait() -> str:
            barrier.wait(60)  # all of them are here at the same time
            return "the answer"

        assert self.run(sharing, wait) == ["the answer"] * 20

    def test_one_that_gets_no_answer_does_not_hold_up_the_others(self, sharing: Sharing) -> None:
        silent, entered = threading.Event(), threading.Event()

        def never() -> Any:
            entered.set()
            silent.wait(60)
            raise TransportError("nothing came")

        with ThreadPoolExecutor(1) as thread:
            stuck = thread.submit(refused, endpoint(sharing), never)  # type: ignore[arg-type]
            assert entered.wait(60)
            assert ask(endpoint(sharing), Server(), 1.0) == "the answer"
            silent.set()
            assert isinstance(stuck.result(60), TransportError)


def test_a_killed_task_tells_nothing_of_the_server(sharing: Sharing) -> None:
    stopping = Stop()

    def killed() -> Any:
        stopping.stop()
        stopping.check()

    with pytest.raises(TaskStoppedError):
        ask(endpoint(sharing), killed)
    assert ask(endpoint(sharing), Server()) == "the answer"
    assert not refusals._entries


def test_forgetting_ends_it(sharing: Sharing) -> None:
    for kind in (INTROSPECTION, REVOCATION):
        refused(endpoint(sharing, kind=kind), Server(REFUSED))
    Entries(SETTINGS, sharing).forget()
    for kind in (INTROSPECTION, REVOCATION):
        assert ask(endpoint(sharing, kind=kind), Server()) == "the answer"
