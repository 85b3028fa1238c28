"""Airflow's loop of a sensor and its deferral mean the same; a sensor without any call stands for all."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tasks.deferrable_sensor import GRACE, DeferrableSensor
from airflow_oauth_provider.tasks.polling import Polling, Progress
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.span import Span

pytestmark = [pytest.mark.airflow]
SECRET_TEXT = "the text of a foreign error"


class Waiting(DeferrableSensor):
    """Polls what it is given.

    :param outcome: of each poll: raised or returned.
    """

    hook = OAuth2Hook("my_api")  # which nobody has used: it knows no secret yet

    def __init__(self, *, outcome: Any = False, **options: Any) -> None:
        super().__init__(task_id="wait", **{"poke_interval": 0.01, "timeout": 30, **options})
        self.outcome = outcome
        self._made = Polling((404,), None, progress=Progress(polls=2, seen="404"))

    @property
    def _polling(self) -> Polling:
        return self._made

    @property
    def _expected(self) -> str:
        return "status 200"

    def poke(self, context: Any) -> Any:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        return self._perhaps_silently(lambda: self.poke(context))


def worker(task: Waiting) -> Any:
    return task.execute({})


def deferred(task: Waiting) -> Any:
    return task.resume_execution("execute_complete", {"event": {}}, {})


@pytest.fixture(params=[worker, deferred], ids=["worker", "deferred"])
def run(request: pytest.FixtureRequest) -> Callable[[Waiting], Any]:
    chosen: Callable[[Waiting], Any] = request.param
    return chosen


FINAL = [
    pytest.param(AirflowSensorTimeout("over"), id="timeout"),
    pytest.param(AirflowTaskTimeout("over"), id="task-timeout"),
    pytest.param(AirflowFailException("no"), id="fail"),
]
OTHERS = [
    pytest.param(AirflowException("x"), id="Airflow"),
    pytest.param(ResourceError("busy", status=503), id="ours"),
    pytest.param(LookupError(SECRET_TEXT), id="foreign"),
]


class TestSkipping:
    """``soft_fail`` skips what is final; ``never_fail`` skips everything."""

    @pytest.mark.parametrize("error", FINAL)
    @pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
    def test_what_is_final(self, run: Callable[[Waiting], Any], error: BaseException, option: str) -> None:
        with pytest.raises(AirflowSkipException):
            run(Waiting(outcome=error, **{option: True}))
        with pytest.raises(type(error)):
            run(Waiting(outcome=error))

    @pytest.mark.parametrize("error", OTHERS)
    def test_anything_else(self, run: Callable[[Waiting], Any], error: Exception) -> None:
        with pytest.raises(type(error)):
            run(Waiting(outcome=error, soft_fail=True))
        with pytest.raises(AirflowSkipException):
            run(Waiting(outcome=error, never_fail=True))

    def test_a_skip_of_the_poll_is_one(self, run: Callable[[Waiting], Any]) -> None:
        with pytest.raises(AirflowSkipException, match="nothing today"):
            run(Waiting(outcome=AirflowSkipException("nothing today")))

    def test_deferred_the_text_of_a_foreign_error_stays_out_of_the_log(self) -> None:
        with pytest.raises(AirflowSkipException) as caught:
            deferred(Waiting(outcome=LookupError(SECRET_TEXT), never_fail=True))
        assert str(caught.value) == "Skipping due to never_fail is set to True: LookupError"

    @pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
    def test_a_killed_task_is_never_skipped(self, option: str) -> None:
        with pytest.raises(TaskStoppedError):
            deferred(Waiting(outcome=TaskStoppedError("stopped"), **{option: True}))


class TestTheEndOfTheTime:
    """It says what was seen last, and what was expected."""

    LAST = "Last seen: poll 2: 404; expected: status 200"

    def test_on_the_worker(self) -> None:
        with pytest.raises(AirflowSensorTimeout, match=self.LAST):
            worker(Waiting(timeout=0.01))

    def test_on_the_worker_with_soft_fail(self) -> None:
        with pytest.raises(AirflowSkipException, match=self.LAST):
            worker(Waiting(timeout=0.01, soft_fail=True))

    def test_of_a_triggerer_that_has_died(self) -> None:
        with pytest.raises(AirflowSensorTimeout, match=f"not even {GRACE:g} s after the end"):
            Waiting().resume_execution("__fail__", {"error": "Trigger timeout"}, {})


class TestSilence:
    """``silent_fail`` makes a "not yet" of errors, but of no final ones."""

    @pytest.mark.parametrize("error", OTHERS)
    def test_deferred_too(self, error: Exception, logged: Callable[[], str]) -> None:
        assert deferred(Waiting(outcome=error, silent_fail=True)) is False
        assert "Sensor poke failed" in logged()

    @pytest.mark.parametrize("error", [*FINAL, pytest.param(AirflowSkipException("no"), id="skip")])
    def test_not_of_what_is_final(self, error: BaseException) -> None:
        with pytest.raises(type(error)):
            deferred(Waiting(outcome=error, silent_fail=True))

    def test_what_the_server_asked_for_counts_all_the_same(self) -> None:
        task = Waiting(outcome=ResourceError("busy", status=503, retry_after=7.0), silent_fail=True)
        deferred(task)
        assert task._polling.retry_after == 7.0


class TestPauses:
    """The longer one of Airflow's interval and the server's wish."""

    def test_the_pause_before_the_next_deferral(self) -> None:
        task = Waiting(poke_interval=5)
        span = Span()
        assert task._next_poll_at(time.time()) - 5 in span
        task._polling.retry_after = 300.0
        assert task._next_poll_at(time.time()) - 300 in span

    def test_it_grows_with_the_time_up_to_a_limit(self) -> None:
        task = Waiting(poke_interval=5, exponential_backoff=True)
        begun = time.time() - 1000
        assert 300 < task._next_poll_at(begun) - time.time() <= 1001
        capped = Waiting(poke_interval=5, exponential_backoff=True, max_wait=timedelta(seconds=60))
        assert capped._next_poll_at(begun) - time.time() <= 60

    def test_a_servers_wish_does_not_hold_a_worker_beyond_its_time(self) -> None:
        task = Waiting(mode="reschedule", timeout=30)
        task._polling.retry_after = 300.0
        assert task._get_next_poke_interval(None, lambda: 10.0, 1) == 20.0

    def test_on_the_worker_it_is_waited_here_and_not_in_airflows_loop(self) -> None:
        task = Waiting(poke_interval=0.05)
        began = time.monotonic()
        assert task._get_next_poke_interval(None, lambda: 0.0, 1) == 0.0
        assert time.monotonic() - began >= 0.05

    def test_a_killed_task_leaves_it(self) -> None:
        task = Waiting(poke_interval=600)
        task.on_kill()
        with pytest.raises(TaskStoppedError):
            task._get_next_poke_interval(None, lambda: 0.0, 1)
        with pytest.raises(TaskStoppedError):
            task._next_poll_at(time.time())
