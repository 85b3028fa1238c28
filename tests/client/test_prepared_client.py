"""A client that is asked in threads where Airflow may not be called."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.prepared_client import PreparedClient
from airflow_oauth_provider.connection.token_parameters import TokenParameters
from airflow_oauth_provider.exceptions import ConfigurationError, ConnectionNotFoundError, InvalidClientError
from airflow_oauth_provider.tokens.manager import shared
from tests.support.airflow_calls import noted_airflow_calls
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service

Result = TypeVar("Result")
VARIABLE = "AIRFLOW_CONN_MY_API"
OTHER_SECRET = "another-client-secret"


def elsewhere(work: Callable[[], Result]) -> Result:
    """Do it in a thread of a library's own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


Ask = Callable[[PreparedClient], str]
ASKED = pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda client: client.get_token(force=True).value, id="thread"),
        pytest.param(lambda client: asyncio.run(client.aget_token(force=True)).value, id="loop"),
    ],
)


@pytest.fixture
def airflow_calls(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What Airflow is called for, and in which thread."""
    monkeypatch.setenv(VARIABLE, service.environment())
    return noted_airflow_calls(monkeypatch)


@ASKED
def test_no_other_thread_calls_airflow(
    ask: Ask, service: Service, airflow_calls: list[tuple[str, int]]
) -> None:
    client = PreparedClient("my_api")
    client.prepare()
    assert {"read", "mask"} == {name for name, _ in airflow_calls}
    airflow_calls.clear()
    assert [elsewhere(lambda: ask(client)) for _ in range(3)] == ["tok-1", "tok-2", "tok-3"]
    assert airflow_calls == []
    assert "tok-3" not in masking._masker().redact("tok-3 was used"), "this process masks it all the same"


@ASKED
def test_no_other_thread_waits_for_one_that_calls_airflow(
    ask: Ask, service: Service, airflow_calls: list[tuple[str, int]]
) -> None:
    """Which may be an event loop's, that waits for the library in turn."""
    client = PreparedClient("my_api")
    client.prepare()
    tokens: list[str] = []
    thread = threading.Thread(target=lambda: tokens.append(ask(client)), daemon=True)
    with masking.airflow_channel:
        thread.start()
        thread.join(60)
        assert tokens == ["tok-1"]


@ASKED
def test_the_thread_that_prepares_it_reads_again(
    ask: Ask, service: Service, airflow_calls: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = PreparedClient("my_api")
    client.prepare()
    ask(client)
    monkeypatch.setenv(VARIABLE, service.environment(scope="write"))
    ask(client)
    assert [request.form["scope"] for request in service.token_requests] == [["read"], ["write"]]
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ConnectionNotFoundError):
        ask(client)


@ASKED
def test_of_a_deleted_connection_other_threads_use_what_was_read(
    ask: Ask, service: Service, airflow_calls: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = PreparedClient("my_api")
    client.prepare()
    monkeypatch.delenv(VARIABLE)
    assert elsewhere(lambda: ask(client)) == "tok-1"
    with pytest.raises(ConnectionNotFoundError):
        ask(client)


@ASKED
def test_read_once_it_is_not_read_again(
    ask: Ask, service: Service, airflow_calls: list[tuple[str, int]]
) -> None:
    client = PreparedClient("my_api")
    client.prepare(once=True)
    airflow_calls.clear()
    assert ask(client) == "tok-1"
    assert airflow_calls == []


@ASKED
def test_a_thread_that_has_got_the_number_of_its_own_reads_nothing(
    ask: Ask, service: Service, airflow_calls: list[tuple[str, int]]
) -> None:
    client, numbers, tokens = PreparedClient("my_api"), [], []

    def prepare() -> None:
        client.prepare()
        numbers.append(threading.get_ident())

    def ask_if_it_has_the_number() -> None:
        if threading.get_ident() == numbers[0]:
            tokens.append(ask(client))

    for work in (prepare, *[ask_if_it_has_the_number] * 1000):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if tokens:
            break
        airflow_calls.clear()
    assert tokens == ["tok-1"]
    assert airflow_calls == []


@ASKED
def test_the_first_thread_that_asks_prepares_one_that_nobody_has_prepared(
    ask: Ask, service: Service, airflow_calls: list[tuple[str, int]]
) -> None:
    client = pickle.loads(pickle.dumps(PreparedClient("my_api")))
    assert ask(client) == "tok-1"
    airflow_calls.clear()
    assert elsewhere(lambda: ask(client)) == "tok-2"
    assert airflow_calls == []
    assert b"a-client-secret" not in pickle.dumps(client)


@ASKED
def test_a_use_with_other_parameters_has_home_and_reading_in_common(
    ask: Ask, service: Service, airflow_calls: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of them was asked first."""
    client = PreparedClient("my_api")
    first, second = (client.used_with(TokenParameters.of(scope=scope)) for scope in ("a", "b"))
    assert ask(first) == "tok-1"
    airflow_calls.clear()
    monkeypatch.delenv(VARIABLE)
    later = client.used_with(TokenParameters.of(scope="c"))
    for use in (first, second, later, client):
        elsewhere(partial(ask, use))
    assert airflow_calls == []
    scopes = [request.form["scope"][0] for request in service.token_requests]
    assert scopes == ["a", "a", "b", "c", "read"]
    with pytest.raises(ConnectionNotFoundError):
        ask(second)


def test_a_wrong_connection_is_refused_when_it_is_prepared(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = PreparedClient("my_api")
    with pytest.raises(ConnectionNotFoundError):
        client.prepare()
    monkeypatch.setenv(VARIABLE, service.environment(auth_method="no_such_method"))
    with pytest.raises(ConfigurationError):
        client.prepare()
    monkeypatch.setenv(VARIABLE, service.environment())
    client.prepare()
    assert elsewhere(client.get_token).value == "tok-1"
    monkeypatch.setenv(VARIABLE, service.environment(auth_method="no_such_method"))
    with pytest.raises(ConfigurationError):
        client.prepare()


def test_coroutines_renew_a_token_that_was_refused(service: Service) -> None:
    client = PreparedClient("my_api", service.connection())
    refused = asyncio.run(client.aget_token())
    renewed = asyncio.run(client.arenew(refused))
    assert renewed is not None
    assert (refused.value, renewed.value) == ("tok-1", "tok-2")


@ASKED
def test_a_thread_that_could_not_read_it_is_nobodys_home(
    ask: Ask, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = PreparedClient("my_api")
    with pytest.raises(ConnectionNotFoundError):
        elsewhere(lambda: ask(client))
    for scope in ("a", "b"):
        monkeypatch.setenv(VARIABLE, service.environment(scope=scope))
        ask(client)
    assert [request.form["scope"] for request in service.token_requests] == [["a"], ["b"]]


def test_a_use_of_a_connection_that_is_given_needs_no_other_and_hides_its_token_everywhere(
    service: Service,
) -> None:
    client = PreparedClient("my_api", service.connection())
    client.prepare()
    use = client.used_with(TokenParameters.of(scope="a"))
    assert use.get_token().value == "tok-1"
    assert client.redactor.text("it is tok-1.") == "it is ***."


def test_fifty_threads_make_one_request(service: Service, airflow_calls: list[tuple[str, int]]) -> None:
    client = PreparedClient("my_api")
    client.prepare()
    airflow_calls.clear()
    together = threading.Barrier(50)

    def ask() -> str:
        together.wait()
        return client.get_token().value

    with ThreadPoolExecutor(50) as pool:
        tokens = {future.result() for future in [pool.submit(ask) for _ in range(50)]}
    assert tokens == {"tok-1"}
    assert len(service.token_requests) == 1
    assert airflow_calls == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_uses_what_was_read(service: Service, airflow_calls: list[tuple[str, int]]) -> None:
    """It shares the parent's channel, and the thread that has forked has the same number in both."""
    client = PreparedClient("my_api")
    client.prepare()
    assert client.get_token().value == "tok-1"
    airflow_calls.clear()
    child = os.fork()
    if child == 0:  # pragma: no cover  (another process)
        ended = 1
        try:
            tokens = [client.get_token().value, client.get_token(force=True).value]
            ended = 0 if tokens == ["tok-1", "tok-2"] and airflow_calls == [] else 2
        finally:
            os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(service.token_requests) == 2


def test_a_secret_outside_the_connection_is_read_again(
    service: Service, airflow_calls: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(request: RecordedRequest) -> ScriptedResponse:
        rotated = request.form["client_secret"] == [OTHER_SECRET]
        return token_json("tok-rotated") if rotated else Json({"error": "invalid_client"}, 401)

    service.token = respond
    file, host = tmp_path / "secret", service.server.url.removeprefix("http://")
    file.write_text("the-first-client-secret")
    entry = {"file": str(file), "hosts": [host], "client_ids": ["my-client"], "api_hosts": [host]}
    monkeypatch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", json.dumps({"erp": entry}))
    outside = {"password": None, "external_credential": "erp", "auth_method": "client_secret_post"}
    monkeypatch.setenv(VARIABLE, service.environment(**outside))
    client = PreparedClient("my_api")
    client.prepare()
    airflow_calls.clear()
    with pytest.raises(InvalidClientError):
        elsewhere(client.get_token)
    file.write_text(OTHER_SECRET)
    assert elsewhere(client.get_token).value == "tok-rotated"
    assert client._slot is shared.slots.of(client.settings), "from memory the next time"
    assert airflow_calls == []
    assert OTHER_SECRET not in masking._masker().redact(f"it is {OTHER_SECRET}")
