"""A kill counts whenever it comes: before there is a hook, while one is made, and after."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator, OAuth2HttpOperator
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.tasks.calling_task import CallingTask
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.servers.scripted import Silent
from tests.support.service import Service

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F82")]
MAKE: dict[str, Callable[[], Any]] = {
    "operator": lambda: OAuth2HttpOperator(task_id="x", oauth2_conn_id="my_api", endpoint="x"),
    "sensor": lambda: OAuth2HttpSensor(task_id="x", oauth2_conn_id="my_api", endpoint="x"),
}


@pytest.fixture(autouse=True)
def _connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.api = lambda _: Silent()
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())


@pytest.fixture(params=MAKE)
def task(request: pytest.FixtureRequest) -> CallingTask:
    made: CallingTask = MAKE[request.param]()
    return made


def test_a_kill_before_there_is_a_hook(task: CallingTask, service: Service) -> None:
    task.on_kill()
    with pytest.raises(TaskStoppedError):
        task.hook.run("x")
    assert service.calls == []


def test_a_kill_before_a_check(service: Service) -> None:
    task = OAuth2AuthorizationCheckOperator(task_id="x", oauth2_conn_id="my_api")
    task.on_kill()
    with pytest.raises(TaskStoppedError):
        task.execute({})
    assert service.server.requests == []


class Killer:
    """Sends the process SIGTERM as it reaches the n-th line of Python."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, _frame: FrameType, event: str, _argument: Any) -> Killer:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGTERM)
        return self


@pytest.fixture
def on_sigterm() -> Iterator[Callable[[CallingTask], None]]:
    """Do what Airflow does: call ``on_kill`` within the signal handler."""
    before = signal.getsignal(signal.SIGTERM)
    yield lambda task: signal.signal(signal.SIGTERM, lambda *_: task.on_kill())  # type: ignore[misc]
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_a_kill_at_every_line_while_the_hook_is_made(
    make: Callable[[], CallingTask], on_sigterm: Callable[[CallingTask], None]
) -> None:
    make().hook  # noqa: B018  (with all imports done, each round runs the same lines)
    line, survived = 0, False
    while not survived:
        line += 1
        task, killer = make(), Killer(line)
        on_sigterm(task)
        tracing = sys.gettrace()
        sys.settrace(killer)
        try:
            hook = task.hook
        finally:
            sys.settrace(tracing)
        survived = killer.left > 0
        assert survived or hook._client.stop.stopped, f"the kill at line {line} is forgotten"
    assert line > 20
