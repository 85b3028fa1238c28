"""Waiting for the end of an API's cool-down, decided without any clock."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.call.cool_down import LONGEST, SPREAD, not_sent, wait_for_end
from airflow_oauth_provider.protocol.call.effects import CoolDown, LookUpCoolDown, Pause
from airflow_oauth_provider.protocol.urls import parse_url

ORIGIN = parse_url("https://api.example/v1").origin


def run(
    *looks: CoolDown | None, most: float | None = 60.0, random: float = 0.0
) -> tuple[list[float], CoolDown | None]:
    """Return the pauses of a call that sees these cool-downs, and what it ends with."""
    flow = wait_for_end(ORIGIN, most, lambda: random)
    pending, pauses = list(looks), []
    step = next(flow)
    try:
        while True:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                step = flow.send(None)
            else:
                assert step == LookUpCoolDown(ORIGIN)
                step = flow.send(pending.pop(0))
    except StopIteration as end:
        assert not pending
        return pauses, end.value


def cool(left: float, whole: float = 5.0) -> CoolDown:
    return CoolDown(left, whole, 429)


def test_without_a_cool_down_nobody_waits() -> None:
    assert run(None) == ([], None)


def test_the_end_is_waited_for_and_looked_at_again() -> None:
    assert run(cool(4.0), None) == ([4.0], None)


def test_callers_come_back_one_after_the_other() -> None:
    assert run(cool(4.0), None, random=0.5) == ([4.0 + SPREAD / 2], None)
    assert run(cool(1.0, whole=1.0), None, random=1.0) == ([1.25], None)  # of a short one a share


def test_what_lasts_longer_than_the_call_waits_is_its_result() -> None:
    assert run(cool(4.0), most=3.9) == ([], cool(4.0))
    assert run(cool(0.1), most=0.0) == ([], cool(0.1))


def test_all_waits_together_have_the_limit() -> None:
    assert run(cool(4.0), cool(5.0), cool(4.0), most=10.0) == ([4.0, 5.0], cool(4.0))
    assert run(cool(9.0), cool(0.5), most=9.2, random=1.0) == ([9.2], cool(0.5))


def test_without_a_limit_it_waits_as_often_as_the_api_asks() -> None:
    assert run(*[cool(200.0)] * 4, None, most=None) == ([200.0] * 4, None)


def test_no_wait_is_longer_than_the_longest_cool_down() -> None:
    assert run(cool(100_000.0), None, most=None, random=1.0) == ([LONGEST], None)


def test_the_error_says_what_was_not_sent_and_why() -> None:
    error = not_sent(CoolDown(4.21, 5.0, 503), "GET", "https://api.example/v1/x?page=…")
    assert (error.status, error.retry_after, error.sent, error.retryable) == (503, 4.21, False, True)
    assert (error.method, error.url) == ("GET", "https://api.example/v1/x?page=…")
    assert str(error) == (
        "GET https://api.example/v1/x?page=… was not sent: the API has asked all callers to stay away (HTTP "
        "status 503), for another 4.2 s, which is longer than this call waits. Raise its timeout, or give "
        'extra_options={"cool_down": "ignore"} to call all the same'
    )


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_randomness_only_adds(seconds: float) -> None:
    (pauses, _) = run(cool(3.0), None, random=seconds)
    assert 3.0 <= pauses[0] <= 3.0 + SPREAD
