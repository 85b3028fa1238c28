from __future__ import annotations

import pickle

import pytest
import requests

from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.protocol.http import Failure, Fault
from airflow_oauth_provider.transport.call_failure import (
    CallFailedError,
    CallTimeoutError,
    call_failed,
    error_of_ours,
)

URL = "https://api.example/v1/x?key=the-secret"


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.ADDRESS_REFUSED])
def test_it_is_caught_as_ours_and_as_that_of_requests(fault: Fault) -> None:
    error = call_failed(URL, Failure(fault, "so it was"))
    assert isinstance(error, TransportError)
    assert isinstance(error, requests.ConnectionError)
    assert isinstance(error, requests.Timeout) is (fault is Fault.TIMEOUT)
    assert error.retryable is fault.retryable
    assert str(error) == "so it was; no response from the API api.example:443"
    assert (error.request, error.response) == (None, None), "they would hold the token"


def test_an_address_that_is_refused_is_a_setting_to_change() -> None:
    error = call_failed(URL, Failure(Fault.ADDRESS_REFUSED, "no"))
    assert isinstance(error, ConfigurationError)
    assert error.field == "base_url"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080"),
        ("http://localhost/x", "localhost:80"),
        pytest.param("http://[::1]:8080/x", "[::1]:8080", id="IPv6[F18]"),
        ("https://user:pass@api.example/", "api.example:443"),
    ],
)
def test_only_the_host_is_shown(url: str, host: str) -> None:
    error = call_failed(url, Failure(Fault.CUT, "x"))
    assert isinstance(error, CallFailedError)
    assert error.host == host
    assert "pass" not in str(error)


@pytest.mark.parametrize("asked, obeyed", [(None, None), (7.0, 7.0), (1e9, 3600.0)])
def test_what_a_proxy_asks_to_wait_is_told(asked: float | None, obeyed: float | None) -> None:
    error = call_failed(URL, Failure(Fault.UNREACHABLE, "busy", retry_after=asked))
    assert isinstance(error, CallFailedError)
    assert error.retry_after == obeyed


def test_it_survives_pickle() -> None:
    error = call_failed(URL, Failure(Fault.TIMEOUT, "x"))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is CallTimeoutError
    assert str(again) == str(error)
    assert again.retryable


def test_a_chain_of_causes_may_lead_back_to_where_it_began() -> None:
    first, second = ValueError("x"), KeyError("y")
    first.__cause__, second.__cause__ = second, first
    assert error_of_ours(first) is None
    ours = call_failed(URL, Failure(Fault.CUT, "x"))
    second.__cause__ = ours
    assert error_of_ours(first) is ours
