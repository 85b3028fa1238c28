"""One acquisition on a clock of its own: what is sent, what is waited for, when it gives up."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.builders import NOW, SECRET, Run, http_response, settings, token_response

JWT_SECRET = Secret("0123456789abcdef0123456789abcdef")


def failed(fault: Fault) -> Failure:
    return Failure(fault, "it failed")


def error(code: str, status: int = 400, **members: Any) -> HttpResponse:
    return http_response({"error": code, **members}, status)


def refused(*results: HttpResponse | Failure, **changes: Any) -> tuple[OAuthError, Run]:
    """Run to the error."""
    run = Run(settings(**changes), results)
    with pytest.raises(OAuthError) as caught:
        run.finish()
    return caught.value, run


def test_a_token_at_once() -> None:
    run = Run(settings(), [token_response()])
    assert run.finish().token.value == "tok-1"
    assert len(run.sent) == 1
    assert run.sleeps == []


@pytest.mark.fault("K10")
def test_the_lifetime_counts_from_before_the_request() -> None:
    token = (
        Run(settings(retry={"max_wait": 60}, network=settings().network), [token_response()], takes=12)
        .finish()
        .token
    )
    assert (token.issued_at, token.expires_at) == (NOW, NOW + 3600)


@pytest.mark.parametrize(
    "result",
    [
        *(
            pytest.param(http_response({}, status), id=f"{status}{tag}")
            for status, tag in [
                (408, "[H18]"),
                (425, "[H20]"),
                (429, "[H21]"),
                (500, ""),
                (502, ""),
                (503, ""),
                (504, ""),
                (520, "[H31]"),
                (527, "[H31]"),
            ]
        ),
        pytest.param(error("temporarily_unavailable"), id="temporarily_unavailable"),
        pytest.param(error("server_error"), id="server_error"),
        pytest.param(error("slow_down"), id="slow_down"),
        pytest.param(error("invalid_client", 503), id="503-with-invalid_client"),
        *(
            pytest.param(failed(fault), id=fault.name)
            for fault in (Fault.UNREACHABLE, Fault.TIMEOUT, Fault.CUT, Fault.LOCAL)
        ),
    ],
)
def test_passing_failures_are_retried(result: HttpResponse | Failure) -> None:
    run = Run(settings(), [result, token_response()])
    assert run.finish().token.value == "tok-1"
    assert len(run.sent) == 2


@pytest.mark.parametrize(
    "result, kind",
    [
        pytest.param(error("invalid_request"), TokenEndpointError, id="invalid_request[H06]"),
        pytest.param(error("invalid_client", 401), InvalidClientError, id="401[H07]"),
        pytest.param(error("invalid_client", 400), InvalidClientError, id="400[H08]"),
        pytest.param(
            http_response(b"", 401, content_type=""), TokenEndpointError, id="401-without-body[H09]"
        ),
        *(
            pytest.param(error(code), TokenEndpointError, id=f"{code}[H11]")
            for code in (
                "invalid_grant",
                "unauthorized_client",
                "unsupported_grant_type",
                "invalid_scope",
                "invalid_target",
                "invalid_authorization_details",
                "invalid_dpop_proof",
            )
        ),
        pytest.param(error("something_else"), TokenEndpointError, id="unknown[H15]"),
        pytest.param(
            http_response(b"<html>", 403, content_type="text/html"), TokenEndpointError, id="403[H16]"
        ),
        pytest.param(http_response(b"", 404), TokenEndpointError, id="404"),
        pytest.param(http_response(b"", 407), TokenEndpointError, id="407"),
        *(
            pytest.param(
                http_response(b"", status, location="https://elsewhere.example"),
                TokenResponseError,
                id=f"{status}[H01]",
            )
            for status in (301, 302, 303, 307, 308)
        ),
        *(
            pytest.param(
                token_response().__class__(status, (), b"{}"), TokenResponseError, id=f"{status}[H38]"
            )
            for status in (201, 202, 204, 206)
        ),
        pytest.param(http_response(b"", 101), TokenResponseError, id="101[N37]"),
        pytest.param(http_response(b"<html>"), TokenResponseError, id="html[H33]"),
        pytest.param(failed(Fault.TLS_CERTIFICATE), TransportError, id="certificate[N15][N17]"),
        pytest.param(failed(Fault.TLS), TransportError, id="TLS[N19]"),
        pytest.param(failed(Fault.PROXY_REFUSED), ConfigurationError, id="proxy[N27]"),
        pytest.param(failed(Fault.ADDRESS_REFUSED), ConfigurationError, id="address[C40]"),
        pytest.param(failed(Fault.MALFORMED), TokenResponseError, id="malformed[N36][N37]"),
    ],
)
def test_final_failures_cost_one_request(result: HttpResponse | Failure, kind: type[OAuthError]) -> None:
    failure, run = refused(result)
    assert type(failure) is kind
    assert not failure.retryable
    assert len(run.sent) == 1
    if isinstance(failure, TokenEndpointError) and isinstance(result, HttpResponse):
        assert failure.status == result.status


class TestTheBudget:
    """The numbers that are promised."""

    def test_503_for_ever(self) -> None:
        failure, run = refused(http_response({}, 503))
        assert len(run.sent) == 4
        assert run.sleeps == [0.5, 2.0, 8.0], "the middle of 0-1, 0-4 and 0-16 s"
        assert 10 < run.elapsed < 12
        assert isinstance(failure, TokenEndpointError)
        assert failure.retryable

    def test_a_silent_server(self) -> None:
        run = Run(settings(), [failed(Fault.TIMEOUT)], takes=1000)
        with pytest.raises(TransportError) as caught:
            run.finish()
        assert len(run.sent) == 4
        assert run.elapsed == 60.0
        assert (caught.value.attempts, caught.value.elapsed) == (4, 60.0)
        assert caught.value.host == "idp.example:443"

    def test_each_attempt_has_its_own_limit(self) -> None:
        run = Run(settings(), [failed(Fault.TIMEOUT)], takes=1000)
        with pytest.raises(TransportError):
            run.finish()
        assert run.sent[0].deadline == 1015.0
        assert run.sent[-1].deadline == 1060.0

    def test_no_attempt_begins_with_less_than_a_second(self) -> None:
        for chance in (0.0, 0.5, 0.999):
            run = Run(
                settings(retry={"max_wait": 20, "max_attempts": 10}),
                [failed(Fault.TIMEOUT)],
                takes=4.8,
                chance=chance,
            )
            with pytest.raises(TransportError):
                run.finish()
            assert run.elapsed <= 20
            assert all(1020 - send.deadline <= 15 for send in run.sent)

    @pytest.mark.parametrize("attempts", [0, 1, 10])
    def test_max_retry_attempts(self, attempts: int) -> None:
        _, run = refused(http_response({}, 503), retry={"max_attempts": attempts, "max_wait": 3600})
        assert len(run.sent) == attempts + 1
        assert all(0 <= pause <= 20 for pause in run.sleeps)

    def test_a_wait_of_half_a_second(self) -> None:
        _, run = refused(http_response({}, 503), retry={"max_wait": 0.5})
        assert len(run.sent) == 1

    @pytest.mark.parametrize(
        "result", [pytest.param(failed(Fault.DNS), id="DNS"), pytest.param(http_response({}, 421), id="421")]
    )
    def test_once_more_is_enough(self, result: Any) -> None:
        _, run = refused(result)
        assert len(run.sent) == 2

    @pytest.mark.fault("K06")
    def test_a_delay_is_never_negative(self) -> None:
        run = Run(settings(), [http_response({}, 503)], chance=0.0)
        with pytest.raises(TokenEndpointError):
            run.finish()
        assert all(pause >= 0 for pause in run.sleeps)


class TestRetryAfter:
    """Obeyed within the budget, reported beyond it."""

    @pytest.mark.parametrize("chance, pause", [(0.0, 10.0), (0.5, 10.5), (0.999, 10.999)])
    @pytest.mark.fault("H22")
    def test_inside_the_budget(self, chance: float, pause: float) -> None:
        run = Run(settings(), [http_response({}, 429, retry_after="10"), token_response()], chance=chance)
        run.finish()
        assert run.sleeps == [pytest.approx(pause)]

    def test_beyond_the_budget_at_once(self) -> None:
        failure, run = refused(http_response({}, 429, retry_after="120"))
        assert isinstance(failure, TokenEndpointError)
        assert failure.retry_after == 120
        assert len(run.sent) == 1
        assert run.elapsed < 1

    def test_the_other_spelling(self) -> None:
        failure, _ = refused(http_response({}, 503, x_retry_after="300"))
        assert isinstance(failure, TokenEndpointError)
        assert failure.retry_after == 300


class TestClocks:
    """An assertion refused for its time is made anew once."""

    AHEAD = "Tue, 14 Nov 2023 22:18:20 GMT"  # 300 s after NOW

    def run(self, date: str | None, *, method: str = "client_secret_jwt") -> Run:
        refusal = http_response({"error": "invalid_client"}, 401, **({"date": date} if date else {}))
        return Run(settings(auth_method=method, client_secret=JWT_SECRET), [refusal, token_response()])

    @pytest.mark.fault("K07")
    def test_with_the_servers_time(self) -> None:
        run = self.run(self.AHEAD)
        assert run.finish().token.value == "tok-1"
        issued = []
        for send in run.sent:
            form = dict(pair.split("=") for pair in send.request.body.decode().split("&"))
            claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
            issued.append(claims["iat"])
        assert issued[1] - issued[0] == pytest.approx(300, abs=1)
        assert run.sleeps == []

    @pytest.mark.fault("K07")
    def test_once_only(self) -> None:
        run = Run(
            settings(auth_method="client_secret_jwt", client_secret=JWT_SECRET),
            [http_response({"error": "invalid_client"}, 401, date=self.AHEAD)],
        )
        with pytest.raises(InvalidClientError):
            run.finish()
        assert len(run.sent) == 2

    @pytest.mark.fault("F67")
    @pytest.mark.parametrize(
        "refusal",
        [
            pytest.param(http_response(b"", 403, date=AHEAD), id="403-empty"),
            pytest.param(http_response(b"", 401, date=AHEAD), id="401-empty"),
            pytest.param(http_response(b"", 400, date=AHEAD), id="400-empty"),
            pytest.param(http_response(b"<html>", 403, content_type="text/html", date=AHEAD), id="403-page"),
            pytest.param(http_response({"error": "invalid_request"}, 400, date=AHEAD), id="invalid_request"),
            pytest.param(
                http_response({"error": "unauthorized_client"}, 400, date=AHEAD), id="unauthorized_client"
            ),
            pytest.param(http_response({"ErrorCode": "invalid"}, 401, date=AHEAD), id="another-shape"),
        ],
    )
    def test_however_the_server_refuses(self, refusal: HttpResponse) -> None:
        given = settings(auth_method="client_secret_jwt", client_secret=JWT_SECRET, retry={"max_attempts": 0})
        run = Run(given, [refusal, token_response()])
        assert run.finish().token.value == "tok-1"
        assert (len(run.sent), run.sleeps) == (2, [])
        again = Run(given, [refusal])
        with pytest.raises(TokenEndpointError):
            again.finish()
        assert len(again.sent) == 2, "once only"
        secret = Run(settings(retry={"max_attempts": 0}), [refusal])
        with pytest.raises(TokenEndpointError):
            secret.finish()
        assert len(secret.sent) == 1, "a secret carries no time"

    @pytest.mark.fault("F67")
    @pytest.mark.parametrize(
        "date", [None, "Tue, 14 Nov 2023 22:13:40 GMT", "garbage"], ids=["none", "20-s", "garbage"]
    )
    def test_not_without_a_skew(self, date: str | None) -> None:
        run = self.run(date)
        with pytest.raises(InvalidClientError):
            run.finish()
        assert len(run.sent) == 1

    def test_not_for_a_secret(self) -> None:
        run = self.run(self.AHEAD, method="client_secret_basic")
        with pytest.raises(InvalidClientError):
            run.finish()
        assert len(run.sent) == 1


def test_a_new_assertion_for_every_attempt() -> None:
    numbers = iter(range(100))
    run = Run(
        settings(auth_method="client_secret_jwt", client_secret=JWT_SECRET),
        [http_response({}, 503), http_response({}, 503), token_response()],
        entropy=lambda size: bytes([next(numbers)]) * size,
    )
    run.finish()
    assert len({send.request.body for send in run.sent}) == 3


def test_echoed_secrets_are_redacted() -> None:
    text = f"secret {SECRET} is wrong"
    failure, _ = refused(error("invalid_client", 401, error_description=text))
    assert isinstance(failure, TokenEndpointError)
    assert failure.description == "secret *** is wrong"
    assert SECRET not in str(failure)
