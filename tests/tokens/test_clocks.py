from __future__ import annotations

import time

from airflow_oauth_provider.tokens.clocks import elapsed_clock, this_moment


def test_a_moment_is_now_on_both_clocks() -> None:
    before = time.time(), time.monotonic()
    moment = this_moment()
    after = time.time(), time.monotonic()
    assert before[0] <= moment.wall <= after[0]
    assert before[1] <= moment.monotonic <= after[1]


def test_the_elapsed_clock_goes_on_and_never_back() -> None:
    readings = [elapsed_clock() for _ in range(1000)]
    assert readings == sorted(readings)
    time.sleep(0.01)
    assert elapsed_clock() >= readings[-1] + 0.01
