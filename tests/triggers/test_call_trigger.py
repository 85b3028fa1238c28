"""Triggers: their events, what those hold, and that every path of a poll sleeps."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_oauth_provider.authorizations.history import history_of
from airflow_oauth_provider.calls.response import ReadResponse
from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.history import recorder
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    InvalidClientError,
    ResourceError,
)
from airflow_oauth_provider.protocol.redaction import NOTHING
from airflow_oauth_provider.triggers.call import MAX_BODY
from airflow_oauth_provider.triggers.events import (
    MAX_HEADER,
    dump_error,
    dump_response,
    load_error,
    load_response,
)
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger, OAuth2HttpTrigger, WaitTrigger
from tests.support.servers.scripted import Json, Raw, Redirect, ScriptedResponse, Silent, Text, token_json
from tests.support.service import RecordedRequest, Service
from tests.triggers.running import again, event_of, first_event

SECRET = "a-client-secret"
pytestmark = [pytest.mark.airflow]


@pytest.fixture(autouse=True)
def _connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())


def text_of(event: Any) -> str:
    return base64.b64decode(event["response"]["content"]).decode()


def test_one_call_one_event(service: Service) -> None:
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="items", data={"a": [1, 2]}))
    assert event["status"] == "success"
    assert '"target": "/api/items?a=1&a=2"' in text_of(event)
    assert load_response(event["response"]).json()["method"] == "GET"


def test_the_history_knows_the_task_of_each_trigger(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    triggers = [OAuth2HttpTrigger("my_api", endpoint="items") for _ in range(4)]
    for number, trigger in enumerate(triggers[:3]):
        trigger.task_instance = SimpleNamespace(dag_id=f"dag_{number % 2}", task_id="wait")

    async def run_together() -> None:
        await asyncio.gather(*map(first_event, triggers))

    asyncio.run(run_together())
    recorder.end()
    history = history_of(service.connection())
    assert history is not None
    assert sorted((use.dag_id, use.task_id) for use in history.uses()) == [
        ("dag_0", "wait"),
        ("dag_1", "wait"),
    ]
    assert len(service.token_requests) == 1


def test_json_and_request_kwargs_are_kept(service: Service) -> None:
    trigger = OAuth2HttpTrigger(
        "my_api", endpoint="x", method="PUT", request_kwargs={"json": {"a": 1}, "params": {"b": "2"}}
    )
    event_of(trigger)
    assert service.calls[0].body == b'{"a": 1}'
    assert service.calls[0].target == "/api/x?b=2"


@pytest.mark.fault("L07")
def test_what_the_database_holds_has_no_credential(service: Service) -> None:
    trigger = OAuth2HttpTrigger("my_api", endpoint="x", headers={"X-One": "1"})
    event_of(trigger)
    held = json.dumps(trigger.serialize()) + json.dumps(again(trigger).serialize())
    assert not [word for word in (SECRET, "my-client", "tok-1", "Bearer") if word in held]


@pytest.mark.fault("L08")
def test_an_event_holds_no_token_and_no_cookie(service: Service) -> None:
    service.api = lambda request: Text(
        200,
        f"you sent {request.header('Authorization')} and {SECRET}",
        headers=[("Set-Cookie", "session=s3"), ("ETag", '"1"'), ("X-Total", "7"), ("X-Other", "8")],
    )
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="x", response_headers=["X-Total"]))
    held = json.dumps(event) + text_of(event)
    assert not [word for word in (SECRET, "tok-1", "s3", "X-Other") if word in held]
    response = load_response(event["response"])
    assert response.text == "you sent Bearer *** and ***"
    assert (response.headers["etag"], response.headers["x-total"]) == ('"1"', "7")
    with pytest.raises(ConfigurationError) as caught:
        OAuth2HttpTrigger("my_api", endpoint="x", response_headers=["Set-Cookie"])
    assert caught.value.field == "response_headers"


def test_a_large_body_stays_out_of_the_database(service: Service) -> None:
    service.api = lambda _: Text(200, "x" * 300_000)
    assert event_of(OAuth2HttpTrigger("my_api", endpoint="x"))["response"]["content"] is None
    whole = event_of(OAuth2HttpTrigger("my_api", endpoint="x", max_event_body=400_000))
    assert len(text_of(whole)) == 300_000


@pytest.mark.fault("L39")
def test_a_refused_client_becomes_an_event_and_the_same_error_again(service: Service) -> None:
    service.token = lambda _: Json({"error": "invalid_client", "error_description": "who?"}, 401)
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="x"))
    assert event["status"] == "error"
    error = load_error(event["error"])
    assert isinstance(error, InvalidClientError)
    assert (error.conn_id, error.status, error.description) == ("my_api", 401, "who?")
    assert SECRET not in json.dumps(event)


@pytest.mark.fault("L12", "F17")
def test_a_connection_that_is_gone_is_told() -> None:
    event = event_of(OAuth2HttpTrigger("my_apo", endpoint="x"))
    error = load_error(event["error"])
    assert isinstance(error, ConnectionNotFoundError)
    assert isinstance(error, AirflowNotFoundException)
    assert "the environment has my_api" in str(error)


def test_an_error_of_a_newer_triggerer_is_read() -> None:
    dumped = dump_error(ResourceError("m", status=500, conn_id="c")) | {"news": 1}
    error = load_error(dumped)
    assert isinstance(error, ResourceError)
    assert not hasattr(error, "news")


@pytest.mark.parametrize("method", ["POST", "PATCH", "post"])
def test_what_a_restart_would_send_twice_is_refused(method: str) -> None:
    for kind in (OAuth2HttpTrigger, OAuth2HttpSensorTrigger):
        with pytest.raises(ConfigurationError) as caught:
            kind("my_api", method=method)
        assert (caught.value.field, caught.value.conn_id) == ("method", "my_api")
    with pytest.raises(ConfigurationError):
        OAuth2HttpSensorTrigger("my_api", method="DELETE")


@pytest.mark.fault("L08")
def test_a_token_that_was_renewed_while_the_answer_came_is_not_told(service: Service) -> None:
    service.token = lambda _: token_json(f"tok-{len(service.token_requests)}", expires_in=0)
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="x"))
    assert "Bearer ***" in text_of(event)
    assert "tok-" not in text_of(event)


def test_the_address_of_signed_storage_is_told_without_its_signature(service: Service) -> None:
    def api(request: RecordedRequest) -> ScriptedResponse:
        if request.target == "/api/report":
            return Redirect("/api/signed?signature=s1", 302)
        if request.target.startswith("/api/signed"):
            return Json({}, headers=[("Location", "https://elsewhere.example/?signature=s2")])
        return Json({})

    service.api = api
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="report"))
    assert event["response"]["url"].endswith("/api/signed?signature=s1"), "of the API itself, whole"
    assert "s2" not in json.dumps(event)
    asked = event_of(OAuth2HttpTrigger("my_api", endpoint="report", response_headers=["Location"]))
    assert "s2" in json.dumps(asked)


@pytest.mark.fault("F28")
def test_texts_of_an_api_are_limited() -> None:
    """They pass through Airflow's metadata database."""
    long = "x" * (MAX_HEADER + 1)
    headers = [("ETag", long), ("Link", long[1:]), ("X-Own", long)]
    response = ReadResponse(200, long, "https://api.example/", headers, b"")
    dumped = dump_response(response, ("X-Own",), NOTHING, max_body=None)
    assert dumped["headers"] == {"Link": long[1:]}
    assert len(dumped["reason"]) <= 200


def test_the_query_of_another_host_is_not_told() -> None:
    first = ReadResponse(302, "", "https://api.example/report", [], b"")
    last = ReadResponse(200, "", "https://storage.example/a?signature=s3", [], b"")
    last.history = [first]
    dumped = dump_response(last, (), NOTHING, max_body=None)
    assert dumped["url"] == "https://storage.example/a"


@pytest.mark.fault("F03")
def test_head_is_asked_once_however_large_the_resource_is(service: Service) -> None:
    service.api = lambda _: Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
    event = event_of(OAuth2HttpTrigger("my_api", endpoint="x", method="HEAD"))
    assert event["response"]["content"] == ""


def test_a_check_reads_no_body_without_end(service: Service) -> None:
    service.api = lambda _: Text(200, '{"state": "done"}' + " " * MAX_BODY)
    check = {"json_path": "state", "expected": "done"}
    event = event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x", response_check=check))
    error = load_error(event["error"])
    assert isinstance(error, ConfigurationError)
    assert error.field == "response_check"


def test_of_foreign_errors_only_the_type_is_told() -> None:
    dumped = dump_error(ValueError(SECRET))
    assert dumped == {"type": "ValueError"}
    assert "ValueError" in str(load_error(dumped))


@pytest.mark.fault("L11")
@pytest.mark.parametrize("where", ["token", "call", "pause"])
def test_a_cleared_task_leaves_nothing_behind(service: Service, where: str) -> None:
    if where == "token":
        service.token = lambda _: Silent()
    else:
        service.api = lambda _: Silent() if where == "call" else Json({}, 404)

    async def cleared() -> None:
        trigger = OAuth2HttpSensorTrigger("my_api", endpoint="x", poke_interval=60)
        task = asyncio.create_task(first_event(trigger))
        requests = service.token_requests if where == "token" else service.calls
        while not requests:
            await asyncio.sleep(0.02)
            requests = service.token_requests if where == "token" else service.calls
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cleared())
    gc.collect()


@pytest.mark.fault("L13")
def test_a_provider_that_exits_harms_its_own_trigger_only(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW__OAUTH2__CUSTOM_PROVIDERS", json.dumps({"leaves": "tests.triggers.test_call_trigger.leaves"})
    )
    monkeypatch.setenv(
        "AIRFLOW_CONN_BAD",
        service.environment(auth_method="custom", custom_provider="leaves", password=None),
    )

    async def both() -> list[Any]:
        triggers = (OAuth2HttpTrigger("bad", endpoint="x"), OAuth2HttpTrigger("my_api", endpoint="x"))
        return await asyncio.gather(*map(first_event, triggers))

    bad, good = asyncio.run(both())
    assert bad["error"]["type"] == "TokenResponseError"
    assert "SystemExit" in bad["error"]["message"]
    assert good["status"] == "success"


def leaves(_: Any) -> None:
    """A custom provider that ends its thread."""
    raise SystemExit(1)


@pytest.mark.fault("L16")
def test_ten_thousand_tokens_mean_a_bounded_number_of_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_oauth_provider.tokens import AccessToken

    added: list[str] = []

    async def add(value: str) -> None:
        added.append(value)

    monkeypatch.setattr(masking, "_amask", add)
    monkeypatch.setattr(masking, "_known", type(masking._known)())

    async def many() -> None:
        for number in range(10_000):
            await masking.amask_token(AccessToken(f"{'x' * 500}-{number:06}", "Bearer", 1.0, 0.0))

    asyncio.run(many())
    assert len(added) <= masking.MAX_TAILS
    assert max(map(len, added)) <= 16


@pytest.mark.fault("L15")
def test_no_synchronous_call_to_airflow_from_the_loop(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without greenback a synchronous call in the loop is a dead-lock in Airflow: none is made."""
    monkeypatch.setattr(
        "airflow_oauth_provider.client.reading.get_connection", lambda _: pytest.fail("synchronous")
    )
    monkeypatch.setattr(masking, "_mask", lambda _: pytest.fail("synchronous"))
    assert event_of(OAuth2HttpTrigger("my_api", endpoint="x"))["status"] == "success"


def test_a_wait_goes_on_where_it_was(service: Service) -> None:
    until = time.time() + 0.3
    trigger = again(WaitTrigger(until))
    assert event_of(trigger) == {"status": "waited"}
    assert time.time() >= until
    late = OAuth2HttpTrigger("my_api", endpoint="x", not_before=time.time() + 0.3)
    event_of(late)
    assert len(service.calls) == 1


@pytest.mark.parametrize("value", [b"bytes", object(), {"a": {1, 2}}, {1: "a"}])
def test_what_cannot_go_to_the_triggerer_is_named(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="deferrable") as caught:
        OAuth2HttpTrigger("my_api", endpoint="x", method="PUT", data=value)
    assert (caught.value.conn_id, caught.value.field) == ("my_api", "data")


def test_the_log_of_a_trigger_holds_no_token(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        event_of(OAuth2HttpTrigger("my_api", endpoint="x"))
    assert "tok-1" not in caplog.text
    assert SECRET not in caplog.text
