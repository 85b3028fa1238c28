from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import TransportError, UnexpectedError
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.tokens.background import await_for, wait_for
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.transport.stopping import NEVER, Stop, TaskStoppedError

Wait = Callable[[Callable[[], Any], float], Any]


@pytest.fixture(params=["thread", "loop"])
def wait(request: pytest.FixtureRequest) -> Wait:
    def in_thread(work: Callable[[], Any], seconds: float) -> Any:
        return wait_for(work, Budget.of(this_moment(), seconds), NEVER, doing="the work")

    def in_loop(work: Callable[[], Any], seconds: float) -> Any:
        return asyncio.run(await_for(work, Budget.of(this_moment(), seconds), doing="the work"))

    return in_thread if request.param == "thread" else in_loop


def test_it_runs_in_a_thread_of_its_own(wait: Wait) -> None:
    assert wait(threading.get_ident, 30) != threading.get_ident()


def test_it_is_waited_for_no_longer_than_the_budget(wait: Wait) -> None:
    released = threading.Event()
    with pytest.raises(TransportError, match=r"the work has not ended within 0\.1 s \(max_wait\)") as caught:
        wait(released.wait, 0.1)
    assert caught.value.retryable
    released.set()


def test_our_errors_come_as_they_are_and_without_the_frames_of_the_thread(wait: Wait) -> None:
    def fail() -> None:
        confidential = "a-secret"
        raise TransportError(f"failed {len(confidential)}", host="idp.example:443")

    with pytest.raises(TransportError, match="failed 8") as caught:
        wait(fail, 30)
    assert caught.value.host == "idp.example:443"
    assert caught.value.__context__ is None
    names = [entry.name for entry in caught.traceback]
    assert "fail" not in names


def test_others_become_ours_by_their_class_only(wait: Wait) -> None:
    def fail() -> None:
        raise KeyError("a-secret")

    with pytest.raises(UnexpectedError, match="the work failed unexpectedly") as caught:
        wait(fail, 30)
    assert "KeyError" in str(caught.value)
    assert "a-secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_kill_ends_the_wait() -> None:
    stop, released = Stop(), threading.Event()
    threading.Timer(0.1, stop.stop).start()
    with pytest.raises(TaskStoppedError):
        wait_for(released.wait, Budget.of(this_moment(), 300), stop, doing="the work")
    released.set()
