"""The watcher's trigger: it tells of changes, once, and asks as little as it can."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.triggers import observing, watching
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger
from tests.servers.scripted import Answer, Json, Raw, Text
from tests.service import RecordedRequest, Service
from tests.triggers.running import again

SECRET = "a-client-secret"
pytestmark = [pytest.mark.airflow]


@pytest.fixture(autouse=True)
def _connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(max_retry_attempts=0))


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is slept between polls; a moment in truth."""
    found: list[float] = []
    sleep = asyncio.sleep

    async def short(seconds: float, *args: Any) -> Any:
        if seconds > 5:
            found.append(seconds)
            seconds = 0.01
        return await sleep(seconds, *args)

    monkeypatch.setattr("airflow_oauth_provider.triggers.watching.asyncio.sleep", short)
    return found


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What has been logged; where triggers log to differs between versions of Airflow."""
    return lambda: caplog.text + capsys.readouterr().out


class Store:
    """Where Airflow 3.3 keeps an asset's state."""

    def __init__(self, error: Exception | None = None, *, failing: Collection[str] = ()) -> None:
        self.held: dict[str, Any] = {}
        self.error = error or RuntimeError(SECRET)
        self.failing = failing
        self.tried: list[str] = []

    async def aget(self, key: str) -> Any:
        self.tried.append("aget")
        if "aget" in self.failing:
            raise self.error
        return json.loads(self.held[key]) if key in self.held else None

    async def aset(self, key: str, value: Any) -> None:
        self.tried.append("aset")
        if "aset" in self.failing:
            raise self.error
        self.held[key] = json.dumps(value)


def watch(service: Service, polls: int, store: Store | None = None, **arguments: Any) -> list[Any]:
    """Run a watcher until the API has been polled so often, and return its events."""
    trigger = again(OAuth2HttpEventTrigger("my_api", **{"endpoint": "report", **arguments}))
    trigger.asset_state_store = store
    return asyncio.run(_watched(trigger.run(), lambda: len(service.calls) >= polls))


async def _watched(events: AsyncIterator[Any], done: Callable[[], bool]) -> list[Any]:
    found = []

    async def collect() -> None:
        async for event in events:
            found.append(json.loads(json.dumps(event.payload)))  # noqa: PERF401  (kept when cancelled)

    task = asyncio.create_task(collect())
    for _ in range(1000):
        if done() or task.done():
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return found


def versions(*bodies: tuple[str, str]) -> Callable[[RecordedRequest], Answer]:
    """Serve a resource that honours If-None-Match; the last version for ever."""
    left = list(bodies)

    def serve(request: RecordedRequest) -> Answer:
        tag, body = left.pop(0) if len(left) > 1 else left[0]
        if request.header("If-None-Match") == tag:
            return Text(304, "", headers=[("ETag", tag)])
        return Text(200, body, headers=[("ETag", tag)])

    return serve


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


def test_after_a_restart_nothing_is_told_twice_and_nothing_missed(service: Service) -> None:
    store = Store()
    service.api = versions(('"1"', "a"), ('"2"', "b"))
    assert len(watch(service, 4, store)) == 1
    assert watch(service, len(service.calls) + 3, store) == []
    service.api = versions(('"3"', "c"))
    assert [event["etag"] for event in watch(service, len(service.calls) + 3, store)] == ['"3"']


def states(*values: str) -> Callable[[RecordedRequest], Answer]:
    """Serve a resource without validators whose state changes with each poll; the last for ever."""
    left = list(values)
    return lambda _: Json({"state": left.pop(0) if len(left) > 1 else left[0]})


DONE = {"json_path": "state", "expected": "done"}


def test_what_comes_again_is_told_again(service: Service) -> None:
    """Also where nothing was told of what was there in between."""
    service.api = states("running", "done", "running", "done", "running", "done")
    events = watch(service, 8, response_check=DONE, payload_path="state")
    assert [event["payload"] for event in events] == ["done"] * 3


def test_after_a_restart_what_was_seen_in_between_counts(service: Service) -> None:
    store = Store()
    service.api = states("done", "running")
    assert len(watch(service, 4, store, response_check=DONE)) == 1
    service.api = states("done")
    assert len(watch(service, len(service.calls) + 3, store, response_check=DONE)) == 1
    assert watch(service, len(service.calls) + 3, store, response_check=DONE) == []


def test_watchers_of_one_asset_remember_each_for_itself(service: Service) -> None:
    store = Store()
    service.api = lambda request: Text(200, "", headers=[("ETag", f'"{request.target}"')])
    others: list[dict[str, Any]] = [
        {"endpoint": "one"},
        {"endpoint": "two"},
        {"endpoint": "one", "data": {"a": "b"}},
    ]
    for _ in range(2):
        for other in others:
            assert watch(service, len(service.calls) + 2, store, **other) == []
    assert len(store.held) == len(others)
    check = {"endpoint": "one", "response_check": {"status": 200}}
    assert len(watch(service, len(service.calls) + 2, store, **check)) == 1
    assert len(store.held) == len(others) + 1
    assert watch(service, len(service.calls) + 2, store, poll_interval=61, **check) == []


def test_it_remembers_only_after_telling(service: Service) -> None:
    """An event that Airflow did not take is told again."""
    service.api = versions(('"1"', "a"), ('"2"', "b"))
    store = Store()

    async def stopped_at_the_event() -> str:
        trigger = again(OAuth2HttpEventTrigger("my_api", endpoint="report", poll_interval=60))
        trigger.asset_state_store = store
        async for event in trigger.run():
            return str(event.payload["etag"])
        return ""

    assert asyncio.run(stopped_at_the_event()) == '"2"'
    assert [event["etag"] for event in watch(service, len(service.calls) + 3, store)] == ['"2"']
    assert watch(service, len(service.calls) + 3, store) == []


@pytest.mark.parametrize("failing", [["aget"], ["aset"], ["aget", "aset"]])
def test_a_store_that_fails_does_not_end_it(
    service: Service, logged: Callable[[], str], failing: list[str]
) -> None:
    store = Store(failing=failing)
    service.api = states("a", "b", "b", "c")
    events = watch(service, 6, store, payload_path="state")
    assert [event["payload"] for event in events] == ["b", "c"]
    told = logged()
    assert "RuntimeError" in told
    assert SECRET not in told


def test_what_could_not_be_kept_is_kept_later(service: Service) -> None:
    failing = ["aset"]
    store = Store(failing=failing)

    def serve(_: RecordedRequest) -> Answer:
        if len(service.calls) == 4:
            failing.clear()
        return Text(200, "a" if len(service.calls) < 2 else "b")

    service.api = serve
    assert len(watch(service, 6, store)) == 1
    assert store.held
    assert watch(service, len(service.calls) + 3, store) == []


def test_of_a_watcher_of_several_assets_nothing_is_kept(service: Service, logged: Callable[[], str]) -> None:
    store = Store(ValueError("Task has 2 concrete inlets"), failing=["aget", "aset"])
    service.api = states("a", "b")
    assert len(watch(service, 6, store)) == 1
    assert store.tried == ["aget", "aset", "aset"], "once for each that was seen"
    assert "[error" not in logged()


@pytest.mark.parametrize("held", ["a text", 1, {"identity": 1}, {}, []])
def test_a_state_of_somebody_elses_is_none(service: Service, held: Any) -> None:
    store = Store()
    service.api = states("a")
    watch(service, 2, store)
    store.held = dict.fromkeys(store.held, json.dumps(held))
    assert watch(service, len(service.calls) + 2, store) == []


@pytest.mark.parametrize(
    "body", [pytest.param("[" * 20_000, id="deep"), pytest.param('{"state": "error"}', id="failed")]
)
def test_an_answer_that_cannot_be_checked_is_logged_once(
    service: Service, pauses: list[float], logged: Callable[[], str], body: str
) -> None:
    service.api = lambda _: Text(200, body)
    assert watch(service, 4, response_check={**DONE, "failed": "error"}) == []
    assert logged().count("cannot be checked") == 1
    assert set(pauses) == {60}


def test_after_a_restart_a_cursor_goes_on(service: Service) -> None:
    def serve(request: RecordedRequest) -> Answer:
        since = int(request.target.partition("since=")[2] or 0)
        return Json({"next": min(since + 10, 30)})

    service.api = serve
    store, cursor = Store(), {"json_path": "$.next", "param": "since"}
    assert OAuth2HttpEventTrigger("my_api", cursor=cursor).shared_stream_key() is None
    assert [event["cursor"] for event in watch(service, 5, store, cursor=cursor)] == [20, 30]
    before = len(service.calls)
    assert watch(service, before + 3, store, cursor=cursor) == []
    assert {call.target for call in service.calls[before:]} == {"/api/report?since=30"}


def test_a_cursor_that_repeats_a_secret_is_sent_and_not_kept(service: Service) -> None:
    service.api = lambda request: Json({"next": request.header("Authorization")})
    store = Store()
    arguments = {"cursor": {"json_path": "$.next", "param": "since"}, "response_check": {"status": 200}}
    events = watch(service, 3, store, **arguments)
    assert [event["cursor"] for event in events] == ["Bearer ***"]
    assert service.calls[1].target == "/api/report?since=Bearer+tok-1"
    assert "tok-1" not in repr(store.held)


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
    "answer",
    [Json({}, 401), Json({}, 403), Json({}, 404), Json({}, 500), Json({}, 429, [("Retry-After", "900")])],
)
def test_failures_make_it_slower_and_never_end_it(
    service: Service, pauses: list[float], answer: Answer
) -> None:
    service.api = lambda _: answer
    assert watch(service, 8, poll_interval=60) == []
    assert len(service.calls) >= 8
    assert pauses[0] >= 120
    assert all(later >= earlier for earlier, later in itertools.pairwise(pauses))
    assert max(pauses) <= 3600


@pytest.mark.parametrize("wanted", ["31536000", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_api_silences_it_for_longer_than_an_hour(
    service: Service, pauses: list[float], wanted: str
) -> None:
    service.api = lambda _: Json({}, 429, [("Retry-After", wanted)])
    assert watch(service, 3) == []
    assert set(pauses) == {3600}
    pauses.clear()
    watch(service, len(service.calls) + 2, poll_interval=86400)
    assert set(pauses) == {86400}, "it was asked to be as slow as that"


def test_a_refused_client_does_not_end_it_either(service: Service, pauses: list[float]) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    trigger = again(OAuth2HttpEventTrigger("my_api", endpoint="report"))
    assert asyncio.run(_watched(trigger.run(), lambda: len(pauses) >= 5)) == []
    assert len(service.token_requests) == 1


def test_a_mended_connection_is_found(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(auth_method="wrong"))
    service.api = versions(('"1"', "a"), ('"2"', "b"))
    trigger = again(OAuth2HttpEventTrigger("my_api", endpoint="report"))

    def mended() -> bool:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        return len(service.calls) >= 3

    assert [event["etag"] for event in asyncio.run(_watched(trigger.run(), mended))] == ['"2"']


def test_an_event_holds_no_token(service: Service) -> None:
    bodies = ["a", "b"]
    service.api = lambda request: Json(
        {"body": bodies.pop(0) if len(bodies) > 1 else "b", "echo": request.header("Authorization")},
        headers=[("Set-Cookie", "a=s3")],
    )
    events = watch(service, 4, payload_path="$.echo")
    assert [event["payload"] for event in events] == ["Bearer ***"]
    assert "s3" not in json.dumps(events)


@pytest.mark.parametrize(
    "secret, echo",
    [
        ('p"w-with-a-quote', {"a": ['p"w-with-a-quote'], 'p"w-with-a-quote': 1}),
        ("p\u00e4ssw\u00f6rd", {"a": ["a p\u00e4ssw\u00f6rd!"]}),
        ("null", {"a": ["null"]}),
        ("endpoint", {"a": ["endpoint"]}),
        ("report", {"a": ["report"]}),
        ("status_code", {"a": ["status_code"]}),
    ],
)
def test_a_secret_is_taken_out_of_texts_and_harms_nothing_else(
    service: Service, monkeypatch: pytest.MonkeyPatch, secret: str, echo: dict[str, Any]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(password=secret))
    service.api = lambda _: Json({"n": len(service.calls), "echo": echo, "nothing": None})
    told = watch(service, 3, payload_path="$")[0]
    assert secret not in repr(told["payload"])
    assert "***" in told["payload"]["echo"]["a"][0]
    assert told["payload"]["nothing"] is None
    assert (told["endpoint"], told["status_code"]) == ("report", 200)


def test_half_a_character_can_be_told(service: Service) -> None:
    service.api = lambda _: Text(200, f'{{"a": "\\ud800", "n": {len(service.calls)}}}')
    assert watch(service, 3, payload_path="$.a")[0]["payload"] == "?"


@pytest.mark.parametrize(
    "body, arguments, told",
    [
        pytest.param("[" * 20_000 + "]" * 20_000, {"payload_path": "$"}, "nested", id="far-too-deep"),
        pytest.param("[" * 40 + "]" * 40, {"payload_path": "$"}, "nested", id="too-deep"),
        pytest.param("x" * 2000, {}, "larger than 1000 bytes", id="large"),
        pytest.param("x" * 2000, {"payload_path": "$"}, "larger than 1000 bytes", id="large-payload"),
    ],
)
def test_what_cannot_be_read_is_logged_and_polled_less_often(
    service: Service,
    pauses: list[float],
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    arguments: dict[str, Any],
    told: str,
) -> None:
    if "1000" in told:
        monkeypatch.setattr(watching, "MAX_BODY", 1000)
        monkeypatch.setattr(observing, "MAX_BODY", 1000)
    service.api = lambda _: Text(200, body)
    assert watch(service, 3, **arguments) == []
    assert told in logged()
    assert pauses[:2] == [120, 240]


def test_a_body_of_any_size_will_do_where_validators_are_enough(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_BODY", 1000)
    service.api = versions(('"1"', "x" * 2000), ('"2"', "x" * 2000))
    assert [event["etag"] for event in watch(service, 4)] == ['"2"']


def test_head_is_told_of_a_body_of_any_size(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MAX_BODY", 1000)
    statuses = [404, 404, 200]

    def serve(_: RecordedRequest) -> Answer:
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return Raw(b"HTTP/1.1 %d X\r\nContent-Length: 5000000\r\n\r\n" % status, keep_open=True)

    service.api = serve
    events = watch(
        service,
        4,
        method="HEAD",
        extra_options={"check_response": False},
        response_check=ResponseCheck(status=200),
    )
    assert [event["status_code"] for event in events] == [200]
    assert len({call.connection for call in service.calls}) == 1


def test_a_cursor_of_null_does_not_begin_anew(service: Service) -> None:
    cursors = iter([10, 12, None])
    service.api = lambda _: Json({"next": next(cursors, None)})
    events = watch(service, 6, cursor={"json_path": "$.next", "param": "since"})
    assert [event["cursor"] for event in events] == [12]
    assert {call.target for call in service.calls[2:]} == {"/api/report?since=12"}


def test_polls_are_conditional_with_last_modified_alone(service: Service) -> None:
    first, second = "Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"
    dates = [first, first, second]

    def serve(request: RecordedRequest) -> Answer:
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
        found = await asyncio.gather(
            *(
                _gathered(trigger.filter_shared_stream(stream(queue)), service)
                for trigger, queue in zip((one, two), queues, strict=True)
            )
        )
        poller.cancel()
        await asyncio.gather(poller, return_exceptions=True)
        return found

    found = asyncio.run(both())
    assert [[event["etag"] for event in events] for events in found] == [['"2"'], ['"2"']]


async def _gathered(events: AsyncIterator[Any], service: Service) -> list[Any]:
    found = []

    async def collect() -> None:
        async for event in events:
            found.append(event.payload)  # noqa: PERF401  (kept when cancelled)

    task = asyncio.create_task(collect())
    while len(service.calls) < 6:  # noqa: ASYNC110  (the server counts in a thread)
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


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
