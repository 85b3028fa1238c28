from __future__ import annotations

import threading
import time

import pytest

from airflow_oauth_provider.authorizations import spacing
from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.authorizations.spacing import SPACING, HostSpacing
from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError, TransportError

HOST = "idp.example"


def failed(error: OAuthError) -> CheckResult:
    return CheckResult("orders", error=error)


REFUSED = failed(TokenEndpointError("no", status=401, error="invalid_client"))
GRANTED = CheckResult("orders", expires_at=time.time() + 3600)


def wait_after(*outcomes: CheckResult, started_after: float = 0.0) -> float:
    """Return the seconds that a host is left alone for after checks.

    :param started_after: seconds from the first outcome to the beginning of the others.
    """
    hosts, now = HostSpacing(), time.monotonic()
    for number, outcome in enumerate(outcomes):
        hosts.record_outcome(HOST, outcome, now + (started_after + 0.001 if number else 0.0))
    return hosts.wait(HOST, now)


@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client"])
def test_a_host_that_refuses_a_client_is_left_alone(code: str) -> None:
    waits = wait_after(failed(TokenEndpointError("no", status=400, error=code)))
    assert 0 < waits <= SPACING + 1


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(GRANTED, id="a token"),
        pytest.param(failed(TokenEndpointError("no", status=400, error="invalid_scope")), id="its scope"),
        pytest.param(failed(TransportError("gone", host=HOST)), id="not reached"),
    ],
)
def test_nothing_else_slows_down(outcome: CheckResult) -> None:
    assert wait_after(outcome) == 0


def test_a_check_that_began_later_and_gets_a_token_ends_it() -> None:
    assert wait_after(REFUSED, GRANTED, started_after=5) == 0


def test_one_that_began_before_the_refusal_does_not() -> None:
    assert wait_after(REFUSED, GRANTED, started_after=-5) > 0


def test_each_request_makes_the_next_one_wait() -> None:
    hosts = HostSpacing()
    hosts.record_outcome(HOST, REFUSED, 0.0)
    hosts.record_request(HOST, 1000.0)
    assert hosts.wait(HOST, 1000.0) == SPACING
    hosts.record_request("other.example", 1000.0)
    assert hosts.wait("other.example", 1000.0) == 0


def test_threads_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacing, "SPACING", 0.05)
    hosts, turns = HostSpacing(), []
    hosts.record_outcome(HOST, REFUSED, 0.0)

    def ask() -> None:
        hosts.take_turn(HOST)
        turns.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    first, *_, last = sorted(turns)
    assert len(turns) == 4
    assert last - first > 0.1, "three pauses lie between four turns"
