"""A function that returns a token, in any thread, loop and process."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_oauth_provider.auth import bearer_token_callable
from airflow_oauth_provider.client import reading
from airflow_oauth_provider.client.bearer_token import BearerToken
from airflow_oauth_provider.exceptions import ConfigurationError, ConnectionNotFoundError
from tests.support.servers.scripted import token_json
from tests.support.service import Service


@pytest.fixture
def get(service: Service, monkeypatch: pytest.MonkeyPatch) -> BearerToken:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    return BearerToken("my_api")


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads that have read a connection."""
    idents: list[int] = []
    read = reading.get_connection

    def noted(conn_id: str) -> Any:
        idents.append(threading.get_ident())
        return read(conn_id)

    monkeypatch.setattr(reading, "get_connection", noted)
    return idents


def test_a_token_and_when_it_ends(service: Service, get: BearerToken) -> None:
    assert service.server.requests == [], "nothing is read or asked for before it is used"
    assert get() == get.token().value == "tok-1"
    assert get.token() is asyncio.run(get.atoken())
    assert get.token().expires_on > time.time()
    assert len(service.token_requests) == 1


def test_what_it_asks_for(service: Service, get: BearerToken) -> None:
    assert bearer_token_callable("my_api", scope=["a", "b"], audience="https://a.example")() == "tok-1"
    form = service.token_requests[0].form
    assert (form["scope"], form["audience"]) == (["a b"], ["https://a.example"])


def test_it_travels_as_the_connections_id(get: BearerToken) -> None:
    assert get() == "tok-1"
    copied = pickle.dumps(get)
    assert b"tok-1" not in copied
    assert b"a-client-secret" not in copied
    assert pickle.loads(copied)() == "tok-1"
    assert repr(get) == "<bearer token of connection 'my_api'>"


def test_other_threads_and_loops_do_not_call_airflow(
    service: Service, get: BearerToken, readers: list[int]
) -> None:
    service.token = lambda _: token_json("brief", expires_in=0)  # so that each call asks anew
    get()
    assert set(readers) == {threading.get_ident()}
    before = len(readers)
    with ThreadPoolExecutor(50) as threads:
        values = list(threads.map(lambda _: get(), range(50)))
        values += threads.map(lambda _: asyncio.run(get.atoken()).value, range(5))
    assert set(values) == {"brief"}
    assert len(service.token_requests) > 1
    assert len(readers) == before


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_nor_does_a_forked_process(service: Service, get: BearerToken, readers: list[int]) -> None:
    get()
    service.token = lambda _: token_json("tok-9")

    def child(pipe: Any) -> None:
        from airflow_oauth_provider.tokens.manager import shared

        before = len(readers)
        shared.forget(get._client.settings, get._client.sharing)
        pipe.send((get(), len(readers) - before))

    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=child, args=(theirs,))
    process.start()
    assert ours.poll(30)
    assert ours.recv() == ("tok-9", 0)
    process.join(30)


def test_a_connection_that_is_deleted(
    service: Service, get: BearerToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.token = lambda _: token_json("brief", expires_in=0)
    assert get() == "brief"
    monkeypatch.delenv("AIRFLOW_CONN_MY_API")
    for missing in (get, BearerToken("my_api")):
        with pytest.raises(ConnectionNotFoundError) as refused:
            missing()
        assert refused.value.conn_id == "my_api"


def test_tokens_that_are_bound_to_a_key_are_of_no_use(
    service: Service, get: BearerToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(dpop=True))
    service.token = lambda _: token_json("bound", token_type="DPoP")
    with pytest.raises(ConfigurationError) as refused:
        get()
    assert refused.value.field == "dpop"
