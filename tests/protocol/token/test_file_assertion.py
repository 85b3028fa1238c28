"""An assertion of a file: read for each request, sent again only when it is another."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    TokenResponseError,
)
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.effects import Outcome, ReadAssertion
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.token.file_assertion import settings_of_request
from tests.support.assertions import Platform
from tests.support.builders import NOW, Run, http_response, settings, token_response

platform = Platform()
FIRST, SECOND = Secret(platform.assertion()), Secret(platform.assertion())
FILE = AssertionFile("/run/tokens/idp", "jwt-bearer", "/run/tokens")
REFUSED = http_response({"error": "invalid_client"}, 401)
BUSY = http_response(b"", 503)


def run(results: list[HttpResponse | Failure], assertions: list[Any], **changes: Any) -> Run:
    given: dict[str, Any] = {
        "client_secret": None,
        "auth_method": "workload_identity",
        "assertion_file": FILE,
        **changes,
    }
    return Run(settings(**given), results, assertions=assertions)


def forms(made: Run) -> list[dict[str, list[str]]]:
    return [parse_qs(send.request.body.decode()) for send in made.sent]


def assertions(made: Run) -> list[Secret]:
    return [Secret(form["client_assertion"][0]) for form in forms(made)]


@pytest.mark.parametrize(
    ("kind", "called"),
    [
        ("jwt-bearer", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("jwt-spiffe", "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"),
    ],
)
def test_the_request(kind: str, called: str) -> None:
    client_id = "spiffe://example.org/airflow/worker"
    made = run(
        [token_response()],
        [FIRST],
        client_id=client_id,
        assertion_file=AssertionFile(FILE.path, kind, FILE.folder),
    )
    assert made.finish().token.value == "tok-1"
    assert forms(made) == [
        {
            "grant_type": ["client_credentials"],
            "client_id": [client_id],
            "client_assertion_type": [called],
            "client_assertion": [FIRST.reveal()],
        }
    ]
    assert FIRST.reveal() in made.sent[0].request.redactor.values


def test_it_is_read_again_for_each_attempt() -> None:
    made = run([BUSY, Failure(Fault.TIMEOUT, "it failed"), token_response()], [FIRST, FIRST, SECOND])
    made.finish()
    assert assertions(made) == [FIRST, FIRST, SECOND]


def test_a_refused_one_that_was_replaced_meanwhile_is_tried_once_more() -> None:
    made = run([REFUSED, token_response()], [FIRST, SECOND, SECOND])
    assert made.finish().token.value == "tok-1"
    assert assertions(made) == [FIRST, SECOND]


def test_one_that_was_not_refused_is_not_tried_once_more() -> None:
    made = run([http_response(b"<html>")], [FIRST, SECOND])
    with pytest.raises(TokenResponseError):
        made.finish()
    assert (assertions(made), made.read) == ([FIRST], 1)


def test_when_the_time_is_over_nobody_looks_for_another() -> None:
    given: dict[str, Any] = {
        "client_secret": None,
        "auth_method": "workload_identity",
        "assertion_file": FILE,
    }
    made = Run(settings(**given, retry={"max_wait": 1.0}), [REFUSED], assertions=[FIRST, SECOND], takes=1.0)
    with pytest.raises(InvalidClientError):
        made.finish()
    assert made.read == 1


def test_a_file_that_always_changes_is_tried_twice() -> None:
    made = run([REFUSED], [Secret(platform.assertion()) for _ in range(9)])
    with pytest.raises(InvalidClientError):
        made.finish()
    assert len(made.sent) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_one_that_is_still_there_is_not_sent_again(status: int) -> None:
    made = run([http_response(b"", status)], [FIRST])
    with pytest.raises(OAuthError):
        made.finish()
    assert assertions(made) == [FIRST]


@pytest.mark.fault("F67")
def test_nobody_signs_it_anew_for_another_clock() -> None:
    late = http_response({"error": "invalid_client"}, 401, date="Wed, 15 Nov 2023 22:13:20 GMT")
    made = run([late], [FIRST])
    with pytest.raises(InvalidClientError):
        made.finish()
    assert len(made.sent) == 1


def test_a_file_without_one_sends_nothing() -> None:
    made = run([token_response()], [ConfigurationError("cannot be used", field="assertion_file")])
    with pytest.raises(ConfigurationError) as caught:
        made.finish()
    assert caught.value.field == "assertion_file"
    assert made.sent == []
    assert made.sleeps == []


def test_a_file_that_goes_away_after_a_refusal_changes_nothing_about_it() -> None:
    made = run([REFUSED], [FIRST, ConfigurationError("cannot be used", field="assertion_file")])
    with pytest.raises(InvalidClientError) as caught:
        made.finish()
    assert "must trust the issuer" in (caught.value.advice or "")


def test_clients_without_a_file_read_none() -> None:
    with pytest.raises(StopIteration) as ended:
        next(settings_of_request(settings()))
    assert ended.value.value == settings()


def test_what_is_no_assertion_is_a_defect() -> None:
    flow = settings_of_request(settings(assertion_file=FILE))
    assert next(flow) == ReadAssertion(FILE)
    with pytest.raises(TypeError):
        flow.send(Outcome(Moment(NOW, 0.0), None))
