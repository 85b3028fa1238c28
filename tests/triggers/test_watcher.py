"""The watcher's trigger: it tells of changes, once, and asks as little as it can."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger
from tests.support.servers.scripted import Json, ScriptedResponse, Text
from tests.support.service import RecordedRequest, Service
from tests.triggers.running import again
from tests.triggers.watched import DONE, states, versions, watch, watched

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("my_api", "pauses")]


def test_a_change_is_told_once_and_asked_for_conditionally(service: Service) -> None:
    service.api = versions(('"1"', "a"), ('"1"', "a"), ('"2"', "b"), ('"2"', "b"))
    events = watch(service, 6)
    assert [event["etag"] for event in events] == ['"2"']
    assert [call.header("If-None-Match") for call in service.calls][:5] == [None, '"1"', '"1"', '"2"', '"2"']
    assert len(service.token_requests) == 1
    assert len({call.connection for call in service.calls}) == 1


def test_a_body_is_compared_where_there_is_no_validator(service: Service) -> None:
    bodies = ["a", "a", "b"]
    service.api = lambda _: Text(200, bodies.pop(0) if len(bodies) > 1 else bodies[0])
    assert len(watch(service, 5)) == 1


def test_a_check_decides_which_versions_are_told(service: Service) -> None:
    service.api = versions(('"1"', '{"s": "draft"}'), ('"2"', '{"s": "final"}'), ('"3"', '{"s": "draft"}'))
    check = ResponseCheck(json_path="$.s", expected="final")
    events = watch(service, 5, response_check=check, payload_path="$.s")
    assert [(event["etag"], event["payload"]) for event in events] == [('"2"', "final")]


def test_what_comes_again_is_told_again(service: Service) -> None:
    """Also where nothing was told of what was there in between."""
    service.api = states("running", "done", "running", "done", "running", "done")
    events = watch(service, 8, response_check=DONE, payload_path="state")
    assert [event["payload"] for event in events] == ["done"] * 3


@pytest.mark.parametrize(
    "body", [pytest.param("[" * 20_000, id="deep"), pytest.param('{"state": "error"}', id="failed")]
)
def test_an_answer_that_cannot_be_checked_is_logged_once(
    service: Service, pauses: list[float], logged: Callable[[], str], body: str
) -> None:
    service.api = lambda _: Text(200, body)
    assert watch(service, 4, response_check={**DONE, "failed": "error"}) == []
    said = [line for line in logged().splitlines() if "cannot be checked" in line]
    assert len({line.partition("Watching")[2] for line in said}) == 1
    assert len(said) <= 2, "once, to each of the places where Airflow logs"
    assert set(pauses) == {60}


def test_a_cursor_is_sent_back(service: Service) -> None:
    cursors = iter([10, 10, 12])
    service.api = lambda _: Json({"next": next(cursors, 12)})
    events = watch(service, 5, cursor={"json_path": "$.next", "param": "since"}, data={"a": "1"})
    assert [event["cursor"] for event in events] == [12]
    assert [call.target for call in service.calls][:4] == [
        "/api/report?a=1",
        "/api/report?a=1&since=10",
        "/api/report?a=1&since=10",
        "/api/report?a=1&since=12",
    ]


@pytest.mark.parametrize(
    "response",
    [Json({}, 401), Json({}, 403), Json({}, 404), Json({}, 500), Json({}, 429, [("Retry-After", "900")])],
)
def test_failures_make_it_slower_and_never_end_it(
    service: Service, pauses: list[float], response: ScriptedResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(cool_down="never"))
    service.api = lambda _: response
    assert watch(service, 8, poll_interval=60) == []
    assert len(service.calls) >= 8
    assert pauses[0] >= 120
    assert all(later >= earlier for earlier, later in itertools.pairwise(pauses))
    assert max(pauses) <= 3600


@pytest.mark.parametrize("retry_after", ["31536000", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_api_silences_it_for_longer_than_an_hour(
    service: Service, pauses: list[float], retry_after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(cool_down="never"))
    service.api = lambda _: Json({}, 429, [("Retry-After", retry_after)])
    assert watch(service, 3) == []
    assert set(pauses) == {3600}
    pauses.clear()
    watch(service, len(service.calls) + 2, poll_interval=86400)
    assert set(pauses) == {86400}, "it was asked to be as slow as that"


def test_a_refused_client_does_not_end_it_either(service: Service, pauses: list[float]) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    trigger = again(OAuth2HttpEventTrigger("my_api", endpoint="report"))
    assert asyncio.run(watched(trigger.run(), lambda: len(pauses) >= 5)) == []
    assert len(service.token_requests) == 1


def test_a_mended_connection_is_found(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(auth_method="wrong"))
    service.api = versions(('"1"', "a"), ('"2"', "b"))
    trigger = again(OAuth2HttpEventTrigger("my_api", endpoint="report"))

    def mended() -> bool:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        return len(service.calls) >= 3

    assert [event["etag"] for event in asyncio.run(watched(trigger.run(), mended))] == ['"2"']


def test_a_cursor_of_null_does_not_begin_anew(service: Service) -> None:
    cursors = iter([10, 12, None])
    service.api = lambda _: Json({"next": next(cursors, None)})
    events = watch(service, 6, cursor={"json_path": "$.next", "param": "since"})
    assert [event["cursor"] for event in events] == [12]
    assert {call.target for call in service.calls[2:]} == {"/api/report?since=12"}


def test_polls_are_conditional_with_last_modified_alone(service: Service) -> None:
    first, second = "Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"
    dates = [first, first, second]

    def serve(request: RecordedRequest) -> ScriptedResponse:
        date = dates.pop(0) if len(dates) > 1 else dates[0]
        same = request.header("If-Modified-Since") == date
        return Text(304 if same else 200, "" if same else "x", headers=[("Last-Modified", date)])

    service.api = serve
    assert [event["last_modified"] for event in watch(service, 5)] == [second]
    assert [call.header("If-Modified-Since") for call in service.calls][:4] == [None, first, first, second]
    assert {call.header("If-None-Match") for call in service.calls} == {None}


def test_watchers_of_one_resource_share_a_poll(service: Service) -> None:
    service.api = versions(('"1"', '{"n": 1}'), ('"1"', '{"n": 1}'), ('"2"', '{"n": 2}'))
    one = OAuth2HttpEventTrigger("my_api", endpoint="report")
    two = OAuth2HttpEventTrigger(
        "my_api", endpoint="report", response_check={"json_path": "n", "expected": 2}
    )
    other = OAuth2HttpEventTrigger("my_api", endpoint="report", poll_interval=61)
    assert one.shared_stream_key() == two.shared_stream_key() != other.shared_stream_key()

    async def both() -> list[list[Any]]:
        queues: list[asyncio.Queue[Any]] = [asyncio.Queue(), asyncio.Queue()]

        async def poll() -> None:
            async for seen in OAuth2HttpEventTrigger.open_shared_stream(one.serialize()[1]):
                for queue in queues:
                    queue.put_nowait(seen)

        async def stream(queue: asyncio.Queue[Any]) -> AsyncIterator[Any]:
            while True:
                yield await queue.get()

        poller = asyncio.create_task(poll())
        gathered = await asyncio.gather(
            *(
                _gathered(trigger.filter_shared_stream(stream(queue)), service)
                for trigger, queue in zip((one, two), queues, strict=True)
            )
        )
        poller.cancel()
        await asyncio.gather(poller, return_exceptions=True)
        return gathered

    gathered = asyncio.run(both())
    assert [[event["etag"] for event in events] for events in gathered] == [['"2"'], ['"2"']]


async def _gathered(events: AsyncIterator[Any], service: Service) -> list[Any]:
    payloads = []

    async def collect() -> None:
        async for event in events:
            payloads.append(event.payload)  # noqa: PERF401  (kept when cancelled)

    task = asyncio.create_task(collect())
    while len(service.calls) < 6:  # noqa: ASYNC110  (the server counts in a thread)
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return payloads


@pytest.mark.parametrize(
    "arguments, field",
    [
        ({"method": "POST"}, "method"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"response_check": lambda _: True}, "response_check"),
        ({"cursor": {"json_path": "$.a"}}, "cursor"),
        ({"cursor": {"json_path": "$[", "param": "a"}}, "cursor"),
        ({"cursor": {"json_path": 1, "param": "a"}}, "cursor"),
        ({"cursor": {"json_path": "$.a", "param": "a"}, "data": "a=1"}, "data"),
        ({"cursor": {"json_path": "$.a", "param": "a"}, "data": [["a", "1"]]}, "data"),
        ({"cursor": {"json_path": "$.a", "param": "a"}, "method": "HEAD"}, "method"),
        ({"payload_path": "$.a", "method": "HEAD"}, "method"),
        ({"payload_path": "$["}, "payload_path"),
    ],
)
def test_what_it_does_not_accept(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        OAuth2HttpEventTrigger("my_api", endpoint="x", **arguments)
    assert caught.value.field == field


@pytest.mark.fault("F41")
class TestLog:
    """Each state once, and a path that is not there at once."""

    def test_states(
        self, service: Service, logged: Callable[[], str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        service.api = states("a", "a", "done", "done", "b")
        watch(service, 6, response_check=DONE)
        log = logged()
        for line in (
            'report: first state, HTTP status 200; state = "done": no',
            'report: new state, HTTP status 200; state = "done": yes',
            'report: new state, HTTP status 200; state = "done": no',
        ):
            assert log.count(f"Watching {line}") in {1, 2}, "once; Airflow 3.0 logs it twice"

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"payload_path": "$.stat"}, "the response has no $.stat: $ has state, Bearer ***"),
            (
                {"cursor": {"json_path": "$.next", "param": "since"}},
                "the response has no $.next: $ has state, Bearer ***",
            ),
            ({"response_check": {"json_path": "$.stat"}}, "the response has no $.stat"),
        ],
        ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
    )
    def test_a_path_that_is_not_there(
        self, service: Service, logged: Callable[[], str], arguments: dict[str, Any], message: str
    ) -> None:
        service.api = lambda request: Json({"state": len(service.calls), request.header("Authorization"): 1})
        watch(service, 4, **arguments)
        log = logged()
        assert log.count(f"Watching report: {message}") in {1, 2}, "once; Airflow 3.0 logs it twice"
        assert "tok-1" not in log

    def test_a_cursor_that_stays_is_no_warning(self, service: Service, logged: Callable[[], str]) -> None:
        service.api = lambda _: Json({"next": "7"} if len(service.calls) < 2 else {})
        watch(service, 5, cursor={"json_path": "$.next", "param": "since"})
        assert "has no $.next" not in logged()

    @pytest.mark.fault("F40")
    def test_the_values_of_a_query_are_not_shown(self, service: Service, logged: Callable[[], str]) -> None:
        responses = iter([Json({}), Json({}, 500)])
        service.api = lambda _: next(responses, None) or Json({"state": 1})
        watch(service, 4, endpoint="report?key=a-value-of-the-dags", payload_path="$.state")
        log = logged()
        assert "Watching report?key=…: the response has no $.state" in log
        assert "Watching report?key=… failed" in log
        assert "a-value" not in log
