"""What has changed since the last check."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import CheckResult, Target
from airflow_oauth_provider.authorizations.changes import Change, Changes, marks_of, state_of
from airflow_oauth_provider.authorizations.times import DAY
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    ResourceError,
    TransportError,
)
from tests.support.service import Service

OK = CheckResult("my_api", expires_at=2e9)
REFUSED = CheckResult("my_api", error=InvalidClientError("refused", status=401, error="invalid_client"))
AWAY = CheckResult("my_api", error=TransportError("away"))
WRONG = CheckResult("my_api", error=ConfigurationError("wrong"))
PROBE = replace(OK, error=ResourceError("refused", status=403))


@pytest.fixture
def found(service: Service, store: Path) -> Any:
    """Return what a check of one connection finds changed, run after run."""
    target = Target.of(service.connection())

    def find(
        result: CheckResult,
        *marks: str,
        run: str = "",
        checker: str = "daily",
        remind_after: float = 7,
        forgets: bool = False,
    ) -> Change:
        find.runs += 1  # type: ignore[attr-defined]
        run = run or f"run {find.runs}"  # type: ignore[attr-defined]
        changes = Changes(read_policy(), checker, run, remind_after=remind_after)
        change = changes.of(target, result, marks)
        if not forgets:
            change.remember()
        return change

    find.runs = 0  # type: ignore[attr-defined]
    return find


def test_a_first_run_reports_everything_once(found: Any) -> None:
    assert found(OK).kind == "first"
    assert found(OK).kind is None


@pytest.mark.parametrize("failed", [REFUSED, AWAY, WRONG, PROBE])
def test_what_fails_and_what_has_recovered_is_told_once(found: Any, failed: CheckResult) -> None:
    found(OK)
    kinds = [found(result).kind for result in (failed, failed, OK, OK)]
    assert kinds == ["failed", None, "recovered", None]


def test_another_way_to_fail_is_a_change(found: Any) -> None:
    found(REFUSED)
    assert [found(result).kind for result in (AWAY, AWAY, REFUSED)] == ["failed", None, "failed"]


def test_since_when_is_known(found: Any) -> None:
    began = time.time()
    found(OK)
    failed = found(REFUSED)
    assert began <= failed.since <= time.time()
    assert found(REFUSED).since == failed.since
    recovered = found(OK)
    assert recovered.was_failing_since == failed.since
    assert recovered.text.startswith("recovered: failing since 20")


def test_warnings_that_are_new(found: Any) -> None:
    found(OK, "a")
    assert found(OK, "a", "b").kind == "warning"
    assert found(OK, "a", "b").kind is None
    assert found(OK, "b", "certificate:30").kind == "expiring"
    assert found(OK, "certificate:30").kind is None
    assert found(OK, "certificate:7").kind == "expiring"
    renewed = found(OK)
    assert (renewed.kind, renewed.text) == ("recovered", "what it was warned of is over")
    assert found(OK).kind is None


def test_another_check_misses_nothing(found: Any) -> None:
    found(OK)
    found(OK, checker="command")
    found(REFUSED, checker="command")
    assert found(REFUSED).kind == "failed"


def test_a_retry_of_the_same_run_finds_the_same(found: Any) -> None:
    found(OK)
    assert [found(REFUSED, run="r").kind for _ in range(3)] == ["failed"] * 3
    assert found(OK, run="r").kind is None, "as before the run"
    assert found(OK).kind is None


def test_what_was_not_told_is_still_new(found: Any) -> None:
    found(OK)
    assert found(REFUSED, forgets=True).kind == "failed"
    assert found(REFUSED).kind == "failed"


def test_what_lasts_is_told_again_after_some_days(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found(OK)
    found(REFUSED)
    now = time.time()
    monkeypatch.setattr("airflow_oauth_provider.authorizations.changes.time.time", lambda: now + 8 * DAY)
    assert found(REFUSED, remind_after=0, forgets=True).kind is None
    reminded = found(REFUSED)
    assert (reminded.kind, reminded.since < now + 1) == ("reminder", True)
    assert found(REFUSED).kind is None


def test_what_works_needs_no_reminder(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found(OK)
    now = time.time()
    monkeypatch.setattr("airflow_oauth_provider.authorizations.changes.time.time", lambda: now + 30 * DAY)
    assert found(OK).kind is None


def test_a_rotated_secret_is_told(service: Service, store: Path) -> None:
    def kind(**changes: Any) -> str | None:
        target = Target.of(service.connection(**changes))
        change = Changes(read_policy(), "daily", str(changes)).of(target, OK, ())
        change.remember()
        return change.kind

    assert kind() == "first"
    assert kind(password="another-secret-of-this-test") == "edited"
    assert kind(password="another-secret-of-this-test", scope="x") is None


def test_a_connection_that_is_missing_is_told_once(store: Path) -> None:
    target = Target("gone", error=ConfigurationError("there is no such connection"))
    kinds = []
    for run in "abc":
        change = Changes(read_policy(), "daily", run).of(target, CheckResult("gone", error=target.error), ())
        change.remember()
        kinds.append(change.kind)
    assert kinds == ["first", None, None]


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (OK, "ok"),
        (REFUSED, "refused"),
        (AWAY, "unreachable"),
        (WRONG, "wrong_configuration"),
        (PROBE, "probe_failed"),
    ],
)
def test_states(result: CheckResult, state: str) -> None:
    assert state_of(result) == state


@pytest.mark.parametrize(
    ("days", "mark"), [(45, None), (29, "30"), (8, "30"), (6.5, "7"), (0.5, "1"), (-3, "0")]
)
def test_an_end_comes_nearer_in_steps(days: float, mark: str | None) -> None:
    ends_at = time.time() + days * DAY
    result = replace(OK, certificate_expires_at=ends_at, credential_expires_at=ends_at)
    expected = [f"certificate:{mark}", f"credential:{mark}"] if mark else []
    assert marks_of(result, (), 30) == expected
    assert len(marks_of(result, ("a warning", "another"), 30)) == len(expected) + 2
    assert marks_of(replace(result, credential_expires_at=None), (), 3) == (
        [f"certificate:{'3' if mark == '7' else mark}"] if days < 3 else []
    )
