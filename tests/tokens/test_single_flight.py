from __future__ import annotations

import threading
import time
from typing import Any, NoReturn, Self

import pytest

from airflow_oauth_provider.exceptions import InvalidClientError, TransportError, UnexpectedError
from airflow_oauth_provider.protocol.configured_server import TokenEndpoint
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.sharing import ALONE
from airflow_oauth_provider.tokens.single_flight import Flight
from airflow_oauth_provider.transport.stopping import Stop, TaskStoppedError
from tests.support.builders import settings
from tests.support.servers.scripted import Json, ScriptedServer, Silent, token_json
from tests.support.waiting import until


def flight(server: ScriptedServer, ended: list[str], seconds: float = 20.0) -> Flight:
    url = parse_url(f"{server.url}/token")
    client_id = f"client-{server.port}"
    given = settings(server=TokenEndpoint(url), client_id=client_id, retry={"max_attempts": 0})
    made = Flight(given, ALONE, Budget.of(this_moment(), seconds), lambda _: ended.append("ended"))
    made.start()
    return made


def far() -> float:
    return time.monotonic() + 60


def test_any_number_wait_for_one_search_and_callbacks_come_last(scripted: ScriptedServer) -> None:
    ended: list[str] = []
    scripted.script(token_json("the-token"))
    made = flight(scripted, ended)
    made.add_done_callback(lambda: ended.append("called"))
    tokens: list[object] = []
    threads = [threading.Thread(target=lambda: tokens.append(made.wait(far()))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {getattr(token, "value", None) for token in tokens} == {"the-token"}
    assert len(tokens) == 20
    until(lambda: len(ended) == 2, "the callback")
    assert ended == ["ended", "called"]
    made.add_done_callback(lambda: ended.append("at once"))
    assert ended[-1] == "at once"
    assert (len(scripted.requests), made.requests) == (1, 1)


def test_each_has_a_copy_of_the_error(scripted: ScriptedServer) -> None:
    scripted.script(Json({"error": "invalid_client"}, 401))
    made = flight(scripted, [])
    errors = []
    for _ in range(3):
        with pytest.raises(InvalidClientError) as caught:
            made.wait(far())
        errors.append(caught.value)
    assert len({id(error) for error in errors}) == 3


def test_a_wait_ends_with_its_own_budget_and_the_search_goes_on(scripted: ScriptedServer) -> None:
    scripted.script(Silent())
    ended: list[str] = []
    made = flight(scripted, ended)
    with pytest.raises(TransportError):
        made.wait(time.monotonic() + 0.1)
    assert ended == []


def test_the_last_who_is_killed_stops_the_search(scripted: ScriptedServer) -> None:
    scripted.script(Silent())
    ended: list[str] = []
    made, stop = flight(scripted, ended), Stop()
    threading.Timer(0.2, stop.stop).start()
    with pytest.raises(TaskStoppedError):
        made.wait(far(), stop)
    until(lambda: ended, "the end of the search")


@pytest.mark.fault("P16", "F83")
@pytest.mark.parametrize("after", [True, False], ids=["noted", "not-noted"])
def test_the_last_who_is_thrown_out_while_it_joins_stops_the_search(
    scripted: ScriptedServer, after: bool
) -> None:
    class ThrownOutError(BaseException):
        pass

    class Callers(list[object]):
        def append(self, caller: object) -> None:
            if after:
                super().append(caller)
            raise ThrownOutError

    scripted.script(Silent())
    ended: list[str] = []
    made = flight(scripted, ended)
    made._callers = Callers()
    with pytest.raises(ThrownOutError):
        made.wait(far())
    until(lambda: ended, "the end of the search")
    assert made._callers == []


class UncopiedError(TransportError):
    """Derived from an error of ours by somebody else."""

    def for_connection(self, conn_id: str) -> Self:
        raise SystemExit(conn_id)


@pytest.mark.fault("F12")
@pytest.mark.parametrize("where", ["search", "end"])
def test_whatever_it_ends_with_everybody_is_told(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> NoReturn:
        raise UncopiedError("x")

    monkeypatch.setattr(Flight, "_search", fail if where == "search" else lambda _: None)
    on_end = fail if where == "end" else lambda _: None
    made = Flight(settings(), ALONE, Budget.of(this_moment(), 20), on_end)
    made.start()
    with pytest.raises(UnexpectedError, match="SystemExit"):
        made.wait(far())
