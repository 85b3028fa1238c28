"""What is told of polls, when, and what a failed one means."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_oauth_provider.calls.response import ReadResponse
from airflow_oauth_provider.exceptions import OAuthError, ResourceError
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.tasks.polling import (
    LONGEST_RETRY_AFTER,
    MAX_SEEN,
    Polling,
    Progress,
    asked_to_wait,
    pause_between,
)

BUSY = ResourceError("busy", status=503, retryable=True)


def response(document: Any) -> ReadResponse:
    return ReadResponse(200, "OK", "https://api.example", [], json.dumps(document).encode())


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What has been logged, each line with its level."""

    class Lines(list[str]):
        def __iter__(self) -> Any:
            return iter([f"{record.levelname} {record.getMessage()}" for record in caplog.records])

    caplog.set_level(logging.INFO)
    return Lines()


@pytest.mark.fault("F41")
class TestLines:
    """The first poll, each change, and one about every ten minutes."""

    @pytest.mark.parametrize("pause, logged", [(60, [1, 11, 21]), (300, [1, 3, 5]), (3600, [1, 2, 3])])
    def test_polls_that_see_the_same(self, lines: list[str], pause: float, logged: list[int]) -> None:
        polling = Polling({404}, progress=Progress())
        for _ in range(logged[-1]):
            polling.responded("200", over=False)
            polling.pausing(pause)
        assert list(lines) == [f"INFO poll {number}: 200; next in {pause} s" for number in logged]

    def test_each_change(self, lines: list[str]) -> None:
        polling = Polling({404}, progress=Progress())
        check = ResponseCheck(json_path="$.state", expected="done")
        for state in ("queued", "queued", "running", "queued", "done"):
            polling.inspected(check.inspect(response({"state": state})), str)
            polling.pausing(10)
        assert list(lines)[:3] == [
            'INFO poll 1: 200, $.state = "queued"; next in 10 s',
            'INFO poll 3: 200, $.state = "running"; next in 10 s',
            'INFO poll 4: 200, $.state = "queued"; next in 10 s',
        ]
        assert list(lines)[3] == 'INFO poll 5: 200, $.state = "done"; as expected'

    def test_not_yet_and_failures(self, lines: list[str]) -> None:
        polling = Polling({404}, 3, progress=Progress())
        for error in (ResourceError("m", status=404), BUSY, BUSY):
            polling.failed(error)
            polling.pausing(5)
        with pytest.raises(ResourceError):
            polling.failed(BUSY)
        assert list(lines) == [
            "INFO poll 1: 404, which means not yet; next in 5 s",
            "WARNING poll 2: failed: busy (1 of 3 failures in a row); next in 5 s",
            "WARNING poll 3: failed: busy (2 of 3 failures in a row); next in 5 s",
        ]
        assert polling.last_seen == "poll 4: failed: busy"

    def test_failures_without_limit_are_logged_as_anything_else(self, lines: list[str]) -> None:
        polling = Polling({404}, None, progress=Progress())
        for _ in range(25):
            polling.failed(BUSY)
            polling.pausing(60)
        assert [line.partition(":")[0] for line in lines] == [f"WARNING poll {n}" for n in (1, 11, 21)]

    def test_where_nobody_counts_there_are_no_numbers(self, lines: list[str]) -> None:
        polling = Polling({404}, None)
        polling.responded("200", over=False)
        polling.pausing(60)
        assert list(lines) == ["INFO poll: 200; next in 60 s"]

    def test_values_are_redacted_and_cut(self, lines: list[str]) -> None:
        polling = Polling((), progress=Progress())
        check = ResponseCheck(json_path="$.state", expected="done")
        document = {"state": "\x1b[2J\nthe-secret" + "x" * 5000}
        polling.inspected(check.inspect(response(document)), lambda text: text.replace("the-secret", "***"))
        polling.pausing(10)
        (line,) = lines
        assert "the-secret" not in line
        assert "***xxx" in line
        assert len(line) < MAX_SEEN + 50
        assert line.isprintable()

    @pytest.mark.parametrize(
        "value, expected",
        [(None, "null"), (True, "true"), (1.5, "1.5"), ("ä", '"ä"'), ([1, 2], "an array of 2 items")],
    )
    def test_values(self, lines: list[str], value: Any, expected: str) -> None:
        polling = Polling((), progress=Progress())
        polling.inspected(ResponseCheck(json_path="$.a", expected="b").inspect(response({"a": value})), str)
        assert polling.last_seen == f"poll 1: 200, $.a = {expected}"


@pytest.mark.fault("F41")
class TestMissingPath:
    """A typing error costs no whole timeout: it is a warning at once, and only once."""

    @pytest.mark.parametrize(
        "path, document, message",
        [
            ("$.stat", {"id": 7, "state": "x"}, "the response has no $.stat: $ has id, state"),
            ("$.job.stat", {"job": {"state": 1}}, "the response has no $.job.stat: $.job has state"),
            ("$.jobs[3]", {"jobs": [1, 2]}, "the response has no $.jobs[3]: $.jobs is an array of 2 items"),
            ("$.a.b", {"a": "text"}, "the response has no $.a.b: $.a is a text"),
            ("$.a", {}, "the response has no $.a: $ is empty"),
            ("$.a", None, "the response has no $.a: $ is null"),
        ],
    )
    def test_the_names_that_are_there(self, lines: list[str], path: str, document: Any, message: str) -> None:
        polling = Polling((), progress=Progress())
        check = ResponseCheck(json_path=path, expected="done")
        for _ in range(3):
            assert not polling.inspected(check.inspect(response(document)), str)
            polling.pausing(1)
        assert list(lines) == [f"WARNING {message}", f"INFO poll 1: 200, no {path}; next in 1 s"]

    def test_what_is_no_json(self, lines: list[str]) -> None:
        page = ReadResponse(200, "OK", "https://api.example", [], b"<html>")
        check = ResponseCheck(json_path="$.a", expected="done")
        Polling((), progress=Progress()).inspected(check.inspect(page), str)
        assert list(lines) == ["WARNING the response has no $.a: its body is no JSON"]

    def test_names_are_redacted_and_cut(self, lines: list[str]) -> None:
        document = {"the-secret": 1} | {f"name-{n}" * 10: n for n in range(10_000)}
        check = ResponseCheck(json_path="$.a", expected="done")
        polling = Polling((), progress=Progress())
        polling.inspected(check.inspect(response(document)), lambda text: text.replace("the-secret", "***"))
        (line,) = lines
        assert "the-secret" not in line
        assert "$ has ***, name-0" in line
        assert len(line) < MAX_SEEN + 10


class TestRetryAfter:
    """Obeyed for an hour at the most."""

    @pytest.mark.fault("F15")
    @pytest.mark.parametrize("asked, waited", [(None, 0), (5, 5), (999_999_999, LONGEST_RETRY_AFTER)])
    def test_the_limit(self, asked: float | None, waited: float) -> None:
        assert asked_to_wait(ResourceError("m", retry_after=asked)) == waited

    def test_a_poll_that_was_not_sent_is_no_failure(self, lines: list[str]) -> None:
        polling = Polling({404}, 1, progress=Progress())
        polling.failed(ResourceError("m", status=429, retryable=True, retry_after=30, sent=False))
        assert polling.retry_after == 30
        assert polling.progress.failures == 0
        polling.pausing(30)
        assert list(lines) == [
            "INFO poll 1: not sent: the API wants to be left alone (HTTP status 429); next in 30 s"
        ]

    def test_it_holds_for_one_pause(self) -> None:
        polling = Polling({404})
        polling.failed(ResourceError("m", status=429, retryable=True, retry_after=30))
        assert polling.retry_after == 30
        polling.responded("200", over=False)
        assert polling.retry_after == 0

    def test_also_where_the_failure_is_raised(self) -> None:
        polling = Polling({404}, 1)
        with pytest.raises(OAuthError):
            polling.failed(ResourceError("m", status=429, retryable=True, retry_after=30))
        assert polling.retry_after == 30


@pytest.mark.parametrize(
    "arguments, least, most",
    [
        ({}, 10, 10),
        ({"longest": 5.0}, 10, 10),
        ({"waited": 0.0}, 5, 10),
        ({"waited": 100.0}, 50, 100),
        ({"waited": 100.0, "longest": 30.0}, 30, 30),
    ],
)
def test_pauses(arguments: dict[str, Any], least: float, most: float) -> None:
    pauses = [pause_between(10, **arguments) for _ in range(50)]
    assert least <= min(pauses) <= max(pauses) <= most


class TestProgress:
    """What is kept of polls between worker and triggerer."""

    def test_it_comes_back(self) -> None:
        progress = Progress(7, 2, "poll", 3, warned=True)
        assert Progress.of(json.loads(json.dumps(progress.state()))) == progress

    @pytest.mark.fault("F86")
    @pytest.mark.parametrize(
        "state",
        [
            None,
            [],
            {},
            {**Progress().state(), "news": 1},
            {name: value for name, value in Progress().state().items() if name != "seen"},
            *({**Progress().state(), name: None} for name in Progress().state()),
            *({**Progress().state(), name: [1]} for name in Progress().state()),
            *({**Progress().state(), name: -1.5} for name in Progress().state()),
            {**Progress().state(), "polls": -1},
            {**Progress().state(), "polls": 10**12},
            {**Progress().state(), "polls": True},
            {**Progress().state(), "warned": 1},
            {**Progress().state(), "seen": 1},
        ],
        ids=str,
    )
    def test_of_another_version(self, state: Any) -> None:
        with pytest.raises(ValueError):
            Progress.of(state)
