"""Retry-After in all its forms, delays, cool-downs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.token.retry import cool_down, delay_before_retry, http_date, retry_after

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def asked(*headers: tuple[str, str]) -> float | None:
    return retry_after(HttpResponse(429, headers), now=NOW)


@pytest.mark.parametrize(
    "headers, seconds",
    [
        pytest.param([("retry-after", "10")], 10.0, id="seconds[H22]"),
        pytest.param([("retry-after", " 10 ")], 10.0, id="spaces[H22]"),
        pytest.param([("x-retry-after", "7")], 7.0, id="x-retry-after[H22]"),
        pytest.param([("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], 30.0, id="IMF-fixdate[H24]"),
        pytest.param([("retry-after", "Sunday, 06-Nov-94 08:50:07 GMT")], 30.0, id="RFC850[H24]"),
        pytest.param([("retry-after", "Sun Nov  6 08:50:07 1994")], 30.0, id="asctime[H24]"),
        pytest.param(
            [("retry-after", "Sun, 06 Nov 1994 09:50:07 GMT"), ("date", "Sun, 06 Nov 1994 09:49:37 GMT")],
            30.0,
            id="against-its-own-Date[H24]",
        ),
        pytest.param(
            [("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), ("date", "yesterday")],
            30.0,
            id="Date-unreadable[H24]",
        ),
        pytest.param([("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")], 0.0, id="past[H25]"),
        pytest.param([("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], 999_999_999.0, id="never[H25]"),
        pytest.param([("retry-after", "-5")], None, id="negative[H26]"),
        pytest.param([("retry-after", "1.5")], None, id="fraction[H26]"),
        pytest.param([("retry-after", "abc")], None, id="text[H26]"),
        pytest.param([("retry-after", "")], None, id="empty[H26]"),
        pytest.param([("retry-after", "5"), ("retry-after", "9")], None, id="two[H26]"),
        pytest.param([("retry-after", "9" * 20_000)], None, id="20-kB[H26]"),
        pytest.param([("retry-after", "٣")], None, id="other-digits[H26]"),
        pytest.param([("retry-after", "Sun, 99 Foo 1994 08:50:07 GMT")], None, id="no-date[H26]"),
        pytest.param([("retry-after", "Sun, 06 Nov 999999 08:50:07 GMT")], None, id="year[H26]"),
        pytest.param([], None, id="absent"),
    ],
)
def test_retry_after(headers: list[tuple[str, str]], seconds: float | None) -> None:
    assert asked(*headers) == seconds


def test_http_date() -> None:
    assert http_date(DATE) == NOW
    assert http_date("08:49:37") is None


@pytest.mark.parametrize(
    "retry, remaining, retry_after, chance, seconds",
    [
        (0, 60.0, None, 0.5, 0.5),
        (1, 60.0, None, 0.5, 2.0),
        (2, 60.0, None, 0.5, 8.0),
        (3, 60.0, None, 0.5, 10.0),
        (9, 60.0, None, 1.0, 20.0),
        (2, 3.0, None, 1.0, 2.0),
        (0, 0.9, None, 0.0, None),
        (0, 60.0, 10.0, 0.5, 10.5),
        (0, 11.2, 10.0, 1.0, 10.2),
        (0, 60.0, 59.5, 0.5, None),
        (0, 60.0, 0.0, 0.0, 0.0),
    ],
    ids=[
        "first",
        "second",
        "third",
        "capped",
        "most",
        "budget",
        "too-late",
        "asked",
        "asked-tight",
        "asked-too-long",
        "asked-0",
    ],
)
def test_delay(
    retry: int, remaining: float, retry_after: float | None, chance: float, seconds: float | None
) -> None:
    delay = delay_before_retry(retry, remaining=remaining, retry_after=retry_after, random=lambda: chance)
    assert delay == pytest.approx(seconds) if seconds is not None else delay is None


@pytest.mark.fault("P05")
def test_callers_that_failed_together_do_not_come_back_together() -> None:
    import random

    source = random.Random(7)
    delays = [delay_before_retry(1, remaining=60, retry_after=None, random=source.random) for _ in range(500)]
    quarters = [sum(1 for delay in delays if delay is not None and int(delay) == n) for n in range(4)]
    assert min(quarters) > 90, "full jitter: as many in each of the four seconds"


@pytest.mark.parametrize(
    "arguments, seconds",
    [
        ((429, None), 5.0),
        ((503, None), 5.0),
        ((429, 30.0), 30.0),
        ((429, 99_999.0), 3600.0),
        ((403, None), 0.0),
        ((None, None), 0.0),
    ],
)
def test_cool_down(arguments: Any, seconds: float) -> None:
    assert cool_down(*arguments) == seconds
