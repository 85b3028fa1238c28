"""The operator deferred: how large responses may be, and how long everything may last."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tenacity

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from airflow_oauth_provider.transport.call_failure import CallTimeoutError
from tests.operators.deferring import deferred, operator
from tests.triggers.running import to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("api")]


class TestLargeResponses:
    """They do not pass through the database unasked."""

    def test_the_worker_fetches_them(self, api: ApiEndpoint) -> None:
        api.respond("x" * 300000, times=None)
        assert len(to_the_end(operator())) == 300_000
        assert len(api.requests) == 2
        assert len(to_the_end(operator(max_event_body=400_000))) == 300_000
        assert len(api.requests) == 3

    def test_none_at_all_if_so_wanted(self, api: ApiEndpoint) -> None:
        assert '"target"' in to_the_end(operator(max_event_body=0))
        assert len(api.requests) == 2

    def test_that_of_a_put_is_an_error(self, api: ApiEndpoint) -> None:
        api.respond("x" * 300000, times=None)
        with pytest.raises(ResourceError, match="max_event_body"):
            to_the_end(operator(method="PUT"))


class TestTimeLimit:
    """All attempts together may last as long as the task."""

    def left(self, step: Callable[[], Any]) -> float:
        timeout = deferred(step).timeout
        assert timeout is not None
        return float(timeout.total_seconds())

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_each_deferral_has_what_is_left(self, api: ApiEndpoint, method: str) -> None:
        api.respond({}, 503, times=None)
        retry = {"stop": tenacity.stop_after_attempt(9), "wait": tenacity.wait_fixed(5)}
        task = operator(method=method, execution_timeout=timedelta(seconds=100), retry_args=retry)
        assert 99 < self.left(lambda: task.execute({})) <= 100
        event = {"status": "error", "error": {"type": "ResourceError", "message": "busy", "status": 503}}
        attempts = {"number": 5, "started_at": time.time() - 90, "idle_for": 80.0}
        assert 8 < self.left(lambda: task.execute_complete({}, event, attempts)) <= 10
        attempts["started_at"] = time.time() - 200
        assert self.left(lambda: task.execute_complete({}, event, attempts)) == 0

    def test_without_one_there_is_none(self) -> None:
        assert deferred(lambda: operator().execute({})).timeout is None

    def test_the_call_has_its_own(self, api: ApiEndpoint) -> None:
        api.delay(5)
        with pytest.raises(CallTimeoutError):
            to_the_end(operator(extra_options={"timeout": 0.3}))
