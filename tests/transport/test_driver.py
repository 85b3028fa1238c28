"""The one driver, with flows made for it and a real server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.effects import (
    AskProvider,
    Fetch,
    Flow,
    ReadAssertion,
    Remember,
    Send,
    Sleep,
)
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.metadata import KnownMetadata, Metadata
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.protocol.token.response import Granted
from airflow_oauth_provider.transport.driver import Driver
from airflow_oauth_provider.transport.stopping import Stop, TaskStoppedError
from tests.support.assertions import Platform
from tests.support.servers.scripted import Json, ScriptedServer

NETWORK = NetworkSettings()


def once(effect: Any) -> Flow[Any]:
    """Return a flow that wants one effect, and returns what came of it."""
    outcome = yield effect
    return outcome


def soon() -> float:
    return time.monotonic() + 5


def test_a_flow_that_wants_nothing() -> None:
    def known() -> Flow[int]:
        yield from ()
        return 7

    assert Driver(NETWORK).run(known()) == 7


def test_requests_are_sent_and_counted(scripted: ScriptedServer) -> None:
    scripted.script(Json({"a": 1}))
    driver = Driver(NETWORK)
    before = time.time()
    request = TokenRequest(f"{scripted.url}/token", (), b"x=1")
    outcome = driver.run(once(Send(request, soon())))
    assert isinstance(outcome.result, HttpResponse)
    assert outcome.result.body == b'{"a": 1}'
    assert before <= outcome.moment.wall <= time.time()
    outcome = driver.run(once(Fetch(f"{scripted.url}/document", soon())))
    assert outcome.result.status == 200
    assert [(request.method, request.target) for request in scripted.requests] == [
        ("POST", "/token"),
        ("GET", "/document"),
    ]
    assert driver.requests == 1, "a document is no token request"


def test_a_provider_counts_as_a_request() -> None:
    granted = Granted(AccessToken("tok", "Bearer", 1.0, 0.0))
    driver = Driver(NETWORK, ask_provider=lambda: granted)
    assert driver.run(once(AskProvider())).result is granted
    assert driver.requests == 1
    with pytest.raises(ValueError, match="custom"):
        Driver(NETWORK).run(once(AskProvider()))


def test_pauses_are_told_of_before_they_begin() -> None:
    order: list[Any] = []
    driver = Driver(NETWORK, on_sleep=lambda sleep: order.append(sleep.seconds))
    outcome = driver.run(once(Sleep(0.01, TransportError("busy"))))
    assert order == [0.01]
    assert outcome.result is None


def test_metadata_is_handed_on() -> None:
    kept: list[KnownMetadata] = []
    metadata = KnownMetadata(Metadata("https://idp.example", "https://idp.example/x", ()), 1.0)
    assert Driver(NETWORK, remember=kept.append).run(once(Remember(metadata))).result is None
    assert kept == [metadata]


def test_a_stop_ends_it_at_the_next_step() -> None:
    stop = Stop()
    stop.stop()
    with pytest.raises(TaskStoppedError):
        Driver(NETWORK, stop=stop).run(once(Sleep(60, TransportError("busy"))))


def test_flows_compose() -> None:
    def outer() -> Flow[list[Any]]:
        return [(yield from once(Sleep(0, TransportError("busy")))), "and on"]

    assert Driver(NETWORK).run(outer())[1] == "and on"


def test_an_assertion_is_read_and_noted(tmp_path: Path) -> None:
    """What cannot be read comes back as a value, and nothing is noted of it."""
    assertion = Platform().assertion()
    noted: list[Secret] = []
    (tmp_path / "idp").write_text(assertion)
    driver = Driver(NETWORK, on_read=noted.append)
    files = [AssertionFile(str(tmp_path / name), "jwt-bearer", str(tmp_path)) for name in ("idp", "absent")]
    read, missing = (driver.run(once(ReadAssertion(file))).result for file in files)
    assert read == Secret(assertion)
    assert isinstance(missing, ConfigurationError)
    assert noted == [Secret(assertion)]
    assert driver.requests == 0
