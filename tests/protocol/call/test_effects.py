from __future__ import annotations

from airflow_oauth_provider.protocol.call.effects import RenewToken, ReportRefusal, ResponseHead, SendCall
from airflow_oauth_provider.protocol.urls import parse_url

ORIGIN = parse_url("https://api.example/v1").origin


def test_a_call_is_trusted_and_whole_unless_said_otherwise() -> None:
    call = SendCall("POST", "https://api.example/v1/orders")
    assert (call.trusted, call.with_body) == (True, True)
    assert call == SendCall("POST", "https://api.example/v1/orders", trusted=True, with_body=True)
    assert call != call._replace(trusted=False)


def test_renewing_and_reporting_are_told_apart_by_type_not_by_value() -> None:
    assert RenewToken(ORIGIN) == RenewToken(ORIGIN)
    assert len({RenewToken(ORIGIN), ReportRefusal(ORIGIN)}) == 2
    assert RenewToken(ORIGIN).origin is ORIGIN


def test_a_response_that_says_nothing_has_no_location_and_no_challenge() -> None:
    head = ResponseHead(200)
    assert (head.status, head.location, head.challenges) == (200, None, ())
