"""What holds for every adapter: threads, event loops and processes of the library, a deleted connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.exceptions import ConnectionNotFoundError, InvalidClientError, TransportError
from airflow_oauth_provider.tokens.manager import shared
from tests.support.adapters import ADAPTERS, Ask, Make
from tests.support.airflow_calls import noted_airflow_calls
from tests.support.forks import forked
from tests.support.servers.certificate_cases import EXPIRED
from tests.support.servers.certificates import server_context
from tests.support.servers.scripted import Delay, Json, ScriptedServer, token_json
from tests.support.service import Service

pytestmark = [pytest.mark.airflow, pytest.mark.parametrize("make", ADAPTERS)]
VARIABLE = "AIRFLOW_CONN_MY_API"
FIFTY = 50


@pytest.fixture
def made(make: Make, service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Ask]:
    """Make an adapter of the connection ``my_api``, which is lent."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_api")
    monkeypatch.setenv(VARIABLE, service.environment())
    return lambda: make("my_api", f"{service.base_url}/x")


def elsewhere(ask: Ask) -> str:
    """Ask in a thread of the library's own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def from_fifty_threads(ask: Ask) -> set[str]:
    together = threading.Barrier(FIFTY)

    def one() -> str:
        together.wait()
        try:
            return ask()
        except Exception as error:
            return type(error).__name__

    with ThreadPoolExecutor(FIFTY) as pool:
        return {future.result() for future in [pool.submit(one) for _ in range(FIFTY)]}


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_deleted_connection_in_a_forked_process_from_fifty_threads(
    made: Callable[[], Ask], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read serves on, with one request; who begins anew finds the connection gone."""
    service.token = lambda _: token_json("tok-1", expires_in=0)
    ask = made()
    assert ask() == "tok-1"
    service.token = lambda _: Delay(0.1, token_json("tok-2"))
    monkeypatch.delenv(VARIABLE)

    def work() -> Any:
        def begins_anew() -> str:
            return made()()

        return sorted(from_fifty_threads(ask)), sorted(from_fifty_threads(begins_anew))

    assert forked(work) == [["tok-2"], [ConnectionNotFoundError.__name__]]
    assert len(service.token_requests) == 2


def test_no_thread_of_a_library_calls_airflow(
    made: Callable[[], Ask], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = noted_airflow_calls(monkeypatch)
    service.token = lambda _: token_json(f"tok-{len(service.token_requests)}", expires_in=0)
    ask = made()
    assert ask() == "tok-1"
    # For coroutines older Airflows have no masking: there this process's masker is told.
    assert {name for name, _ in calls} | {"mask"} == {"read", "mask"}, "where Airflow may be called"
    masked = masking._masker().redact("it is a-client-secret, with tok-1")
    assert masked == "it is ***, with ***"
    calls.clear()
    assert elsewhere(ask) == "tok-2"
    assert calls == []


def worth_renewing(service: Service) -> None:
    """Let the token in memory be in its advisory window now."""
    slot = shared.slots.of(service.settings())
    slot.pause(-10_000)
    assert slot.fresh() is None
    assert slot.current() is not None


def test_one_that_lives_on_has_a_new_token_before_the_old_one_ends(
    made: Callable[[], Ask], service: Service
) -> None:
    """In a thread of the library's own, without a refusal."""
    ask = made()
    assert ask() == "tok-1"
    worth_renewing(service)
    assert elsewhere(ask) == "tok-2"
    assert len(service.token_requests) == 2


def test_while_the_server_is_down_it_goes_on_with_the_one_that_it_has(
    made: Callable[[], Ask], service: Service
) -> None:
    ask = made()
    assert ask() == "tok-1"
    service.token = lambda _: Json({}, 503)
    worth_renewing(service)
    assert [elsewhere(ask) for _ in range(3)] == ["tok-1"] * 3
    assert len(service.token_requests) == 2


def test_a_refusal_of_the_client_is_a_typed_error_there_and_shows_no_secret(
    made: Callable[[], Ask], service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = {"error": "invalid_client", "error_description": "is a-client-secret right?"}
    service.token = lambda _: Json(refusal, 401)
    with pytest.raises(InvalidClientError) as refused:
        elsewhere(made())
    assert refused.value.conn_id == "my_api"
    assert "a-client-secret" not in f"{refused.value!r} {refused.value} {caplog.text}"
    assert len(service.token_requests) == 1


def test_a_server_whose_certificate_does_not_verify_is_told_with_what_helps(
    made: Callable[[], Ask], service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with ScriptedServer(server_context(EXPIRED.issued, tmp_path)) as server:
        given = {"host": f"{server.url}/token", "ca_certificates": EXPIRED.trusted}
        monkeypatch.setenv(VARIABLE, service.environment(**given))
        with pytest.raises(TransportError) as caught:
            made()()
        assert server.requests == []
    assert EXPIRED.is_told_by(str(caught.value), caught.value.advice)
    assert not caught.value.retryable
