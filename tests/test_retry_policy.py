"""The retry policy, by itself and in Airflow's own task runner; on older Airflow, what it says instead."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import requests
from aiohttp.http_exceptions import BadStatusLine, TransferEncodingError
from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.http import Failure, Fault
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.server import OAuth2Server
from airflow_oauth_provider.transport.call_failure import call_failed

pytestmark = pytest.mark.airflow

try:
    from airflow.sdk.definitions.retry_policy import RetryAction
except ImportError:
    NEW = False
else:
    NEW = True
    from airflow_oauth_provider.retry_policy import LONGEST_DELAY, OAuth2RetryPolicy, Reason

needs_policies = pytest.mark.skipif(not NEW, reason="Airflow has retry policies from 3.3 on")
MODULE = "airflow_oauth_provider.retry_policy"
SECRET = "a-client-secret"


@pytest.mark.fault("L23")
def test_older_airflow_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    monkeypatch.setitem(sys.modules, "airflow.sdk.definitions.retry_policy", None)
    with pytest.raises(AirflowOptionalProviderFeatureException, match=r"Airflow 3\.3 .* fail_fast"):
        importlib.import_module(MODULE)


def chained(error: BaseException, *, implicit: bool = False) -> BaseException:
    """Return a foreign error that *error* led to."""
    try:
        try:
            raise error
        except BaseException as cause:
            if implicit:
                raise KeyError("orders")  # noqa: B904  (the context is the subject)
            raise ValueError("no orders") from cause
    except (KeyError, ValueError) as outer:
        return outer


def http_error(status: int, **headers: str) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    return requests.HTTPError(SECRET, response=response)


def aiohttp_error(status: int, **headers: str) -> aiohttp.ClientResponseError:
    """Return what ``raise_for_status`` raises."""
    url = URL("https://api.example/x?secret=" + SECRET)
    request = aiohttp.RequestInfo(url, "GET", CIMultiDictProxy(CIMultiDict()), url)
    return aiohttp.ClientResponseError(request, (), status=status, headers=CIMultiDict(headers))


def unread(cause: Exception) -> aiohttp.ClientResponseError:
    """Return what aiohttp raises for a response that it cannot read."""
    error = aiohttp_error(400)
    error.__cause__ = cause
    return error


def group(*errors: BaseException) -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup(SECRET, errors)


def task(delay: float = 10, **more: Any) -> dict[str, Any]:
    given = {"retry_exponential_backoff": 0, "max_retry_delay": None, **more}
    return {"task": SimpleNamespace(retry_delay=timedelta(seconds=delay), **given)}


def busy(retry_after: float | None = None) -> TokenEndpointError:
    return TokenEndpointError("busy", status=503, retry_after=retry_after, retryable=True)


class StrangeError(OAuthError):
    @property
    def retryable(self) -> bool:  # type: ignore[override]
        raise RuntimeError(SECRET)


def decide(error: BaseException, context: Any = None, try_number: int = 1) -> Any:
    return OAuth2RetryPolicy().evaluate(error, try_number, 3, context)


@needs_policies
class TestDecisions:
    """Which error means what."""

    @pytest.mark.parametrize(
        "error, seconds",
        [
            pytest.param(busy(120), 120, id="retry-after[L22]"),
            pytest.param(busy(), None, id="without-retry-after"),
            pytest.param(TransportError("gone", retry_after=300), 300, id="no-answer"),
            pytest.param(ResourceError("busy", status=429, retryable=True, retry_after=60), 60, id="api-429"),
            pytest.param(
                call_failed("https://api.example/x", Failure(Fault.TIMEOUT, "late")), None, id="call"
            ),
            pytest.param(chained(busy(120)), 120, id="cause[L22]"),
            pytest.param(chained(busy(120), implicit=True), 120, id="context[L22]"),
            pytest.param(busy(1e12), 24 * 3600, id="the-year-9999"),
            pytest.param(requests.ReadTimeout(SECRET), None, id="requests-timeout"),
            pytest.param(requests.ConnectionError(ConnectionRefusedError()), None, id="requests-refused"),
            pytest.param(http_error(503, **{"Retry-After": "120"}), 120, id="requests-503[L22]"),
            pytest.param(aiohttp.ServerTimeoutError(SECRET), None, id="aiohttp-timeout"),
            pytest.param(aiohttp.ServerDisconnectedError(), None, id="aiohttp-cut"),
            pytest.param(aiohttp_error(503, **{"Retry-After": "120"}), 120, id="aiohttp-503[L22]"),
        ],
    )
    def test_what_passes_is_retried(self, error: BaseException, seconds: float | None) -> None:
        decision = decide(error, task())
        assert decision.action is RetryAction.RETRY
        assert decision.retry_delay == (None if seconds is None else timedelta(seconds=seconds))

    @pytest.mark.parametrize(
        "error, reason",
        [
            (ConfigurationError("wrong", field="host"), "CONFIGURATION"),
            (InvalidClientError("no", status=401, error="invalid_client"), "CLIENT"),
            (TokenEndpointError("no", status=400, error="invalid_scope"), "TOKEN"),
            (TokenResponseError("a login page", status=200), "TOKEN"),
            (TransportError("certificate", retryable=False), "TOKEN"),
            (ResourceError("no", status=401), "API"),
            (InsufficientScopeError("no", status=403, scope="a"), "SCOPE"),
            (ResourceError("redirected elsewhere"), "API"),
            (chained(InvalidClientError("no")), "CLIENT"),
        ],
    )
    def test_what_does_not_pass_fails(self, error: BaseException, reason: str) -> None:
        decision = decide(error, task())
        assert (decision.action, decision.reason) == (RetryAction.FAIL, Reason[reason].value)

    @pytest.mark.parametrize(
        "error, context",
        [
            pytest.param(ValueError(SECRET), None, id="foreign[L38]"),
            pytest.param(KeyboardInterrupt(), None, id="no-exception[L38]"),
            pytest.param(StrangeError("x"), None, id="raising-attribute[L38]"),
            pytest.param(busy(float("nan")), None, id="not-a-number[L38]"),
            pytest.param(busy("soon"), None, id="text[L38]"),  # type: ignore[arg-type]
            pytest.param(busy(120), {"task": object()}, id="strange-task[L38]"),
            pytest.param(None, None, id="nothing[L38]"),
            pytest.param(requests.HTTPError(SECRET), None, id="no-response[L38]"),
            pytest.param(http_error(404), None, id="requests-404"),
            pytest.param(requests.exceptions.InvalidURL("x"), None, id="invalid-url"),
            pytest.param(ResourceError("no orders", status=404), None, id="api-404"),
            pytest.param(aiohttp_error(404), None, id="aiohttp-404"),
            pytest.param(unread(BadStatusLine("x")), None, id="aiohttp-malformed"),
        ],
    )
    def test_the_rest_is_airflows(self, error: Any, context: Any, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            decision = decide(error, context)
        assert (decision.action, decision.retry_delay, decision.reason) == (RetryAction.DEFAULT, None, None)
        assert SECRET not in caplog.text

    def test_causes_may_form_a_ring(self) -> None:
        first, second = ValueError("a"), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        assert decide(first).action is RetryAction.DEFAULT

    @pytest.mark.fault("L22")
    @pytest.mark.parametrize(
        "error, seconds",
        [
            pytest.param(group(busy(120)), 120, id="one"),
            pytest.param(group(busy(120), busy(300), busy()), 300, id="the-longest-wait"),
            pytest.param(group(busy(), ValueError(SECRET)), None, id="beside-a-foreign-one"),
            pytest.param(group(InvalidClientError("no"), busy(60)), 60, id="beside-a-permanent-one"),
            pytest.param(group(ResourceError("no", status=404), busy()), None, id="beside-a-404"),
            pytest.param(group(ValueError(), group(group(busy(60)))), 60, id="nested"),
            pytest.param(group(chained(busy(60))), 60, id="cause-of-a-member"),
            pytest.param(chained(group(busy(60))), 60, id="group-as-cause"),
            pytest.param(chained(group(busy(60)), implicit=True), 60, id="group-as-context"),
            pytest.param(group(requests.ReadTimeout(), InvalidClientError("no")), None, id="requests"),
            pytest.param(
                BaseExceptionGroup("x", [KeyboardInterrupt(), busy(60)]), 60, id="not-only-exceptions"
            ),
        ],
    )
    def test_a_group_is_retried_for_any_that_passes(
        self, error: BaseException, seconds: float | None
    ) -> None:
        decision = decide(error, task())
        assert decision.action is RetryAction.RETRY
        assert decision.retry_delay == (None if seconds is None else timedelta(seconds=seconds))
        assert Reason(decision.reason)

    @pytest.mark.parametrize(
        "error, reason",
        [
            pytest.param(group(InvalidClientError("no")), "CLIENT", id="one"),
            pytest.param(group(InvalidClientError("no"), ValueError(SECRET)), "CLIENT", id="foreign"),
            pytest.param(
                group(ResourceError("no", status=403), group(ConfigurationError("no"))), "API", id="nested"
            ),
            pytest.param(group(ValueError(), chained(ConfigurationError("no"))), "CONFIGURATION", id="cause"),
        ],
    )
    def test_a_group_fails_where_all_of_ours_are_permanent(self, error: BaseException, reason: str) -> None:
        decision = decide(error, task())
        assert (decision.action, decision.reason) == (RetryAction.FAIL, Reason[reason].value)

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(group(ValueError(SECRET), KeyError(SECRET)), id="foreign"),
            pytest.param(group(InvalidClientError("no"), ResourceError("no", status=404)), id="one-is-a-404"),
            pytest.param(group(StrangeError("x"), busy(60)), id="raising-attribute"),
        ],
    )
    def test_other_groups_are_airflows(self, error: BaseException) -> None:
        assert decide(error, task()).action is RetryAction.DEFAULT

    def test_members_may_have_their_cause_in_common_or_lead_back_to_their_group(self) -> None:
        cause = busy(60)
        first, second = ValueError("a"), ValueError("b")
        first.__cause__ = second.__cause__ = cause
        around = group(first, second)
        cause.__cause__ = around
        assert decide(around, task()).retry_delay == timedelta(seconds=60)
        first.__cause__ = second.__cause__ = around
        assert decide(around, task()).action is RetryAction.DEFAULT

    @pytest.mark.parametrize("member, action", [(busy(60), "RETRY"), (InvalidClientError("no"), "FAIL")])
    def test_a_task_group_of_a_task(self, member: OAuthError, action: str) -> None:
        async def call(error: OAuthError | None) -> None:
            if error is not None:
                raise error
            await asyncio.sleep(60)

        async def main() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(call(None))
                tasks.create_task(call(member))

        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(main())
        assert decide(caught.value, task()).action is RetryAction[action]

    def test_a_chunk_that_aiohttp_cannot_read_passes(self) -> None:
        assert decide(unread(TransferEncodingError(SECRET)), task()).action is RetryAction.RETRY

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(busy(120), id="retry[L34]"),
            pytest.param(TransportError(SECRET), id="passing[L34]"),
            pytest.param(InvalidClientError(SECRET, description=SECRET), id="fail[L34]"),
            pytest.param(requests.ReadTimeout(SECRET), id="requests[L34]"),
            pytest.param(chained(ResourceError(SECRET, status=403)), id="chain[L34]"),
        ],
    )
    def test_reasons_are_of_a_fixed_vocabulary(self, error: BaseException) -> None:
        assert Reason(decide(error).reason)

    @pytest.mark.parametrize(
        "context, try_number, own",
        [
            (task(300), 1, True),
            (task(60), 1, False),
            (task(60, retry_exponential_backoff=2), 2, True),
            (task(60, retry_exponential_backoff=2.0, max_retry_delay=timedelta(seconds=90)), 5, False),
            (task(60, retry_exponential_backoff=10.0), 10_000, True),
        ],
    )
    def test_a_longer_delay_of_the_task_stays(
        self, context: dict[str, Any], try_number: int, own: bool
    ) -> None:
        decision = decide(busy(120), context, try_number)
        assert decision.retry_delay == (None if own else timedelta(seconds=120))
        assert LONGEST_DELAY == 24 * 3600


@needs_policies
class TestInAirflow:
    """Real errors of a real server, judged where Airflow judges them."""

    def failed(self, conn_id: str) -> Any:
        """Return what the task runner would report to its supervisor."""
        from airflow.sdk import BaseOperator
        from airflow.sdk.execution_time import task_runner

        operator = BaseOperator(
            task_id="call", retries=3, retry_delay=timedelta(seconds=5), retry_policy=OAuth2RetryPolicy()
        )
        instance = SimpleNamespace(
            task=operator,
            try_number=1,
            _ti_context_from_server=SimpleNamespace(max_tries=3, should_retry=True),
            _failure_metrics_emitted=True,
            end_date=datetime.now(UTC),
            rendered_map_index=None,
        )
        with pytest.raises(OAuthError) as caught:
            OAuth2Hook(conn_id, method="GET").run("x")
        logger = SimpleNamespace(
            info=lambda *_, **__: None, exception=lambda *_, **__: pytest.fail("it raised")
        )
        message, state = task_runner._handle_current_task_failed(
            instance,
            caught.value,
            logger,
            {"task": operator},
        )
        return message, state.value

    @pytest.mark.fault("L22")
    def test_retry_after_of_the_authorization_server(
        self, oauth2_server: OAuth2Server, oauth2_connection: Connections
    ) -> None:
        oauth2_server.token_endpoint.throttle(120)
        message, state = self.failed(oauth2_connection("my_api"))
        assert state == "up_for_retry"
        assert 120 <= message.retry_delay_seconds <= 122
        assert message.retry_reason == Reason.WAIT.value

    @pytest.mark.fault("L22")
    def test_retry_after_of_the_api(
        self, oauth2_server: OAuth2Server, oauth2_connection: Connections
    ) -> None:
        oauth2_server.api.throttle(120, 503)
        message, state = self.failed(oauth2_connection("my_api"))
        assert (state, message.retry_delay_seconds) == ("up_for_retry", 120)

    @pytest.mark.fault("L34")
    def test_a_refused_client_uses_no_retries(
        self, oauth2_server: OAuth2Server, oauth2_connection: Connections
    ) -> None:
        oauth2_server.token_endpoint.refuse(description=SECRET)
        message, state = self.failed(oauth2_connection("my_api"))
        assert state == "failed"
        assert message.state == "failed"
