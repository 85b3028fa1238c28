"""How long a call waits for its API."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_oauth_provider.calls.arguments import Timeouts, timeouts
from airflow_oauth_provider.calls.cool_down import longest_wait
from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.servers.scripted import Json
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch

LIMITS = Timeouts(5.0, 60.0, None)


@pytest.mark.parametrize(
    ("choice", "limits", "deferred", "seconds"),
    [
        pytest.param(None, timeouts(), False, 60.0, id="the default"),
        pytest.param("wait", timeouts(7), False, 7.0, id="timeout"),
        pytest.param("wait", timeouts((3, 8)), False, 8.0, id="of a pair the second"),
        pytest.param("wait", timeouts((3, None)), False, None, id="without a limit"),
        pytest.param("wait", timeouts(30, 10), False, 9.0, id="the whole call has less"),
        pytest.param("wait", timeouts(30, 0.5), False, 0.0, id="the whole call has next to nothing"),
        pytest.param("fail", LIMITS, False, 0.0, id="not at all"),
        pytest.param(None, timeouts(30, 600), True, 599.0, id="deferred only the whole counts"),
        pytest.param(None, timeouts(30), True, None, id="deferred without a limit"),
    ],
)
def test_within_the_calls_own_limits(
    choice: Any, limits: Timeouts, deferred: bool, seconds: float | None
) -> None:
    assert longest_wait(choice, limits, deferred=deferred) == seconds


@pytest.mark.parametrize("choice", ["Wait", "", 7, True, "never"])
def test_a_choice_that_there_is_not_is_refused_by_name(choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be one of wait, fail, ignore") as caught:
        longest_wait(choice, LIMITS)
    assert caught.value.field == "cool_down"


def test_a_kill_ends_the_wait(service: Service) -> None:
    service.api = lambda _: Json({}, 429, [("Retry-After", "100")])
    hook = OAuth2Hook(method="GET", connection=service.connection())
    with pytest.raises(ResourceError):
        hook.run("/x")
    watch = Stopwatch()
    threading.Timer(0.2, hook.stop).start()
    with pytest.raises(TaskStoppedError):
        hook.run("/x", extra_options={"timeout": 200})
    assert watch.seconds < 2
    assert len(service.calls) == 1
