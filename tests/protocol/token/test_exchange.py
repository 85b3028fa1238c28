"""One exchange with any endpoint of a server, on a clock of its own; acquisitions have their own suite."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    OAuthError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.protocol.effects import AskProvider, Outcome, Send, Sleep
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.moments import Budget, Moment
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.endpoint import Endpoint
from airflow_oauth_provider.protocol.token.exchange import Exchange, Message
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, http_response, settings

ENDPOINT = Endpoint(
    name="test endpoint",
    request="the test",
    result="a result",
    result_rule="§1",
    error_rule="§2",
    address="the endpoint given",
    setting="endpoint",
).at(parse_url("https://idp.example/test"))
BUSY = http_response({}, 503)
REQUEST = TokenRequest("https://idp.example/test", (), b"body", Redactor(["what-was-sent"]))
SIGNED: dict[str, Any] = {
    "auth_method": "client_secret_jwt",
    "client_secret": Secret("0123456789abcdef" * 2),
}


class Attempts:
    """Runs an exchange; each attempt meets the next of the results, and takes a second.

    :param asks: whether there is a request; else the provider is asked.
    """

    def __init__(
        self, *results: object, given: ClientSettings | None = None, asks: bool = True, **message: Any
    ) -> None:
        self.built_at: list[float] = []
        self.sends: list[Send] = []
        self.sleeps: list[float] = []
        self.read_with: list[tuple[float, Redactor]] = []
        self._results = list(results)
        self._now = Moment(NOW, 100.0)
        self._asks = asks
        given = given or settings()
        budget = Budget.of(self._now, given.retry.max_wait)
        whole = Message(ENDPOINT, self._build, self._read, **message)
        self._exchange = Exchange(given, whole, self._now, budget, lambda: 0.5)

    def _build(self, _: ClientSettings, now: float) -> TokenRequest | None:
        self.built_at.append(now)
        return REQUEST if self._asks else None

    def _read(self, response: HttpResponse, sent: Moment, redactor: Redactor) -> bytes:
        self.read_with.append((sent.wall, redactor))
        if response.body == b"none":
            raise ENDPOINT.malformed("it is none")
        return response.body

    def finish(self) -> Any:
        flow = self._exchange.run()
        effect = next(flow)
        while True:
            result: Any = None
            if isinstance(effect, Sleep):
                self.sleeps.append(effect.seconds)
                self._pass(effect.seconds)
            else:
                assert isinstance(effect, Send | AskProvider)
                if isinstance(effect, Send):
                    self.sends.append(effect)
                self._pass(1.0)
                result = self._results.pop(0)
            try:
                effect = flow.send(Outcome(self._now, result))
            except StopIteration as end:
                assert not self._results, "the exchange ended before the results did"
                return end.value

    def _pass(self, seconds: float) -> None:
        self._now = Moment(self._now.wall + seconds, self._now.monotonic + seconds)

    def refused(self) -> OAuthError:
        with pytest.raises(OAuthError) as caught:
            self.finish()
        assert not self._results
        return caught.value


def test_a_response_is_read_with_what_was_sent() -> None:
    attempts = Attempts(HttpResponse(200, (), b"the result"))
    assert attempts.finish() == b"the result"
    ((sent, redactor),) = attempts.read_with
    assert sent == NOW, "not when the response came"
    assert redactor.text("it has what-was-sent in it") == "it has *** in it"
    assert attempts.sends[0].deadline == 100.0 + settings().network.request_timeout


def test_the_message_says_which_statuses_it_reads() -> None:
    created = HttpResponse(201, (), b"the result")
    assert Attempts(created, statuses=frozenset({200, 201})).finish() == b"the result"
    error = Attempts(created).refused()
    assert isinstance(error, TokenResponseError)
    assert "the test endpoint answered HTTP status 201" in str(error)


def test_temporary_errors_are_retried_with_growing_pauses() -> None:
    attempts = Attempts(BUSY, Failure(Fault.TIMEOUT, "late"), BUSY, HttpResponse(200, (), b"at last"))
    assert attempts.finish() == b"at last"
    assert attempts.sleeps == [0.5, 2.0, 8.0]


def test_what_a_proxy_asks_to_wait_is_waited_for() -> None:
    busy = Failure(Fault.UNREACHABLE, "busy", retry_after=7.0)
    attempts = Attempts(busy, HttpResponse(200, (), b"at last"))
    assert attempts.finish() == b"at last"
    assert attempts.sleeps == [7.5]
    error = Attempts(Failure(Fault.UNREACHABLE, "busy", retry_after=70.0)).refused()
    assert isinstance(error, TransportError)
    assert (error.retryable, error.retry_after) == (True, 70.0)


def test_attempts_are_limited_and_the_error_counts_them() -> None:
    given = settings(retry={"max_attempts": 2, "max_wait": 60})
    error = Attempts(*[Failure(Fault.UNREACHABLE, "refused")] * 3, given=given).refused()
    assert isinstance(error, TransportError)
    assert str(error) == "refused; no response from the test endpoint idp.example:443 (3 attempts, 5.5 s)"
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_no_attempt_begins_when_less_than_a_second_would_be_left() -> None:
    given = settings(retry={"max_attempts": 9, "max_wait": 3.0})
    attempts = Attempts(BUSY, BUSY, given=given)
    assert isinstance(attempts.refused(), TokenEndpointError)
    assert [send.deadline for send in attempts.sends] == [103.0, 103.0]


@pytest.mark.parametrize("result", [Failure(Fault.DNS, "x"), http_response({}, 421)], ids=["DNS", "421"])
def test_a_stale_record_or_route_is_tried_once_more(result: object) -> None:
    attempts = Attempts(result, result)
    attempts.refused()
    assert len(attempts.sends) == 2


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        pytest.param(http_response({"error": "invalid_request"}, 400), TokenEndpointError, id="refused"),
        pytest.param(HttpResponse(302, (("location", "/x"),), b""), TokenResponseError, id="redirected"),
        pytest.param(HttpResponse(200, (), b"none"), TokenResponseError, id="malformed"),
        pytest.param(Failure(Fault.MALFORMED, "no HTTP"), TokenResponseError, id="no-HTTP"),
        pytest.param(Failure(Fault.TLS_CERTIFICATE, "expired"), TransportError, id="TLS"),
        pytest.param(Failure(Fault.ADDRESS_REFUSED, "link-local"), ConfigurationError, id="address"),
    ],
)
def test_permanent_errors_end_it(result: object, kind: type[OAuthError]) -> None:
    attempts = Attempts(result)
    assert isinstance(attempts.refused(), kind)
    assert attempts.sleeps == []


@pytest.mark.parametrize(
    ("failure", "field"),
    [
        (Failure(Fault.ADDRESS_REFUSED, "x"), "endpoint"),
        (Failure(Fault.PROXY_REFUSED, "x"), "proxy_url"),
        (Failure(Fault.PROXY_REFUSED, "x", field="HTTPS_PROXY"), "HTTPS_PROXY"),
    ],
)
def test_a_configuration_error_names_the_setting(failure: Failure, field: str) -> None:
    error = Attempts(failure).refused()
    assert isinstance(error, ConfigurationError)
    assert error.field == field


class TestClocks:
    """A server that refuses an assertion, and whose clock differs."""

    REFUSAL = http_response({"error": "invalid_client"}, 401, date=formatdate(NOW + 301, usegmt=True))

    def test_the_assertion_is_signed_anew_by_the_servers_clock(self) -> None:
        attempts = Attempts(self.REFUSAL, HttpResponse(200, (), b"good"), given=settings(**SIGNED))
        assert attempts.finish() == b"good"
        assert attempts.built_at == [NOW, NOW + 1 + 300]
        assert attempts.sleeps == []

    def test_once_only(self) -> None:
        attempts = Attempts(self.REFUSAL, self.REFUSAL, given=settings(**SIGNED))
        assert isinstance(attempts.refused(), TokenEndpointError)

    @pytest.mark.parametrize("status", [200, 302], ids=["malformed", "redirected"])
    def test_not_for_what_is_no_refusal(self, status: int) -> None:
        response = HttpResponse(status, self.REFUSAL.headers, b"none")
        assert isinstance(Attempts(response, given=settings(**SIGNED)).refused(), TokenResponseError)

    def test_not_for_a_temporary_error(self) -> None:
        busy = HttpResponse(503, self.REFUSAL.headers)
        attempts = Attempts(busy, HttpResponse(200, (), b"good"), given=settings(**SIGNED))
        assert attempts.finish() == b"good"
        assert (attempts.built_at, attempts.sleeps) == ([NOW, NOW + 1.5], [0.5])

    def test_not_when_the_time_is_over(self) -> None:
        given = settings(**SIGNED, retry={"max_wait": 1.0})
        assert isinstance(Attempts(self.REFUSAL, given=given).refused(), TokenEndpointError)

    def test_not_where_nothing_is_signed(self) -> None:
        assert isinstance(Attempts(self.REFUSAL).refused(), TokenEndpointError)


class TestProvider:
    """A message without a request asks the ``custom`` provider."""

    def test_its_result_is_the_result(self) -> None:
        attempts = Attempts(b"granted", asks=False)
        assert attempts.finish() == b"granted"
        assert attempts.sends == []

    def test_its_errors_are_treated_as_those_of_a_server(self) -> None:
        attempts = Attempts(TransportError("away", retryable=True), b"granted", asks=False)
        assert attempts.finish() == b"granted"
        assert attempts.sleeps == [0.5]
        assert isinstance(Attempts(ConfigurationError("wrong"), asks=False).refused(), ConfigurationError)

    def test_a_driver_that_brings_something_else_is_at_fault(self) -> None:
        for asks, result in ((True, b"granted"), (False, None)):
            with pytest.raises(TypeError, match="an attempt cannot end with"):
                Attempts(result, asks=asks).finish()


class Moving:
    """The lookup of an endpoint that is found anew after a 404, as a changed address."""

    def __init__(self) -> None:
        self.urls = ["https://old.example/test", "https://new.example/test"]

    def endpoint(self, moment: Moment, ends_at: float) -> Any:
        assert ends_at == 160.0
        if not self.urls:
            raise TransportError("no metadata", retryable=False)
        return parse_url(self.urls.pop(0)), moment
        yield  # pragma: no cover  (a flow)

    def has_moved(self, kind: object, now: float) -> bool:
        assert now >= NOW
        return kind == 404


def test_an_endpoint_that_has_moved_is_looked_up_and_asked_at_once() -> None:
    lookup: Any = Moving()
    attempts = Attempts(HttpResponse(404, (), b""), HttpResponse(200, (), b"found"), lookup=lookup)
    assert attempts.finish() == b"found"
    assert attempts.sleeps == []
    assert lookup.urls == []


def test_an_error_names_the_address_that_was_found() -> None:
    lookup: Any = Moving()
    error = Attempts(Failure(Fault.TLS_CERTIFICATE, "expired"), lookup=lookup).refused()
    assert str(error) == "expired; no response from the test endpoint old.example:443 (1 attempt, 1.0 s)"


@pytest.mark.parametrize(
    ("advice", "said"),
    [("say so", "say so"), (None, "check that the endpoint given is the test endpoint")],
    ids=["its-own", "the-endpoints"],
)
def test_what_helps_against_a_failure(advice: str | None, said: str) -> None:
    assert Attempts(Failure(Fault.MALFORMED, "no HTTP", advice=advice)).refused().advice == said


def test_an_address_that_cannot_be_found_ends_it_without_a_request() -> None:
    lookup: Any = Moving()
    lookup.urls.clear()
    attempts = Attempts(lookup=lookup)
    assert str(attempts.refused()) == "no metadata (1 attempt, 0.0 s)"
    assert attempts.sends == []
    assert NOTHING.text("x") == "x"
