"""What an event says of a response, and what it never does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.triggers import snapshot, watcher
from tests.support.servers.scripted import Json, Raw, ScriptedResponse, Text
from tests.support.service import RecordedRequest, Service
from tests.triggers.watched import versions, watch

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("my_api", "pauses")]


def test_an_event_holds_no_token(service: Service) -> None:
    bodies = ["a", "b"]
    service.api = lambda request: Json(
        {"body": bodies.pop(0) if len(bodies) > 1 else "b", "echo": request.header("Authorization")},
        headers=[("Set-Cookie", "a=s3")],
    )
    events = watch(service, 4, payload_path="$.echo")
    assert [event["payload"] for event in events] == ["Bearer ***"]
    assert "s3" not in json.dumps(events)


@pytest.mark.fault("F28")
def test_a_validator_out_of_all_measure_is_none(service: Service) -> None:
    long = "x" * 10_000
    service.api = versions((f'"{long}1"', "a"), (f'"{long}2"', "b"))
    (event,) = watch(service, 3)
    assert event["etag"] is None
    assert event["digest"]
    assert all(call.header("If-None-Match") is None for call in service.calls)


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
    event = watch(service, 3, payload_path="$")[0]
    assert secret not in repr(event["payload"])
    assert "***" in event["payload"]["echo"]["a"][0]
    assert event["payload"]["nothing"] is None
    assert (event["endpoint"], event["status_code"]) == ("report", 200)


def test_half_a_character_can_be_told(service: Service) -> None:
    service.api = lambda _: Text(200, f'{{"a": "\\ud800", "n": {len(service.calls)}}}')
    assert watch(service, 3, payload_path="$.a")[0]["payload"] == "?"


@pytest.mark.parametrize(
    "body, arguments, message",
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
    message: str,
) -> None:
    if "1000" in message:
        monkeypatch.setattr(watcher, "MAX_BODY", 1000)
        monkeypatch.setattr(snapshot, "MAX_BODY", 1000)
    service.api = lambda _: Text(200, body)
    assert watch(service, 3, **arguments) == []
    assert message in logged()
    assert pauses[:2] == [120, 240]


def test_a_body_of_any_size_will_do_where_validators_are_enough(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "MAX_BODY", 1000)
    service.api = versions(('"1"', "x" * 2000), ('"2"', "x" * 2000))
    assert [event["etag"] for event in watch(service, 4)] == ['"2"']


def test_head_is_told_of_a_body_of_any_size(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "MAX_BODY", 1000)
    statuses = [404, 404, 200]

    def serve(_: RecordedRequest) -> ScriptedResponse:
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
