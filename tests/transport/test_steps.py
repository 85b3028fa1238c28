"""What is recorded of steps, by whom, and in which order."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.transport.steps import (
    MOST_STEPS,
    Step,
    StepName,
    Trace,
    observed,
    observer,
    recording,
)

LATE = TransportError("the request timed out")


@pytest.fixture
def trace() -> Trace:
    return Trace()


def test_where_nobody_observes_nothing_is_kept() -> None:
    with recording(StepName.TLS, "idp.example") as step:
        step.note("TLSv1.3")
        step.fail("no")
        step.resolved(["192.0.2.1"])
    assert not step.observed
    assert observer() is None
    assert not hasattr(step, "text")
    assert recording(StepName.TOKEN) is step, "one object for all"


def test_a_step_has_its_result(trace: Trace) -> None:
    with observed(trace), recording(StepName.RESOLVE, "idp.example") as step:
        step.note("ok")
        step.resolved(["192.0.2.1", "192.0.2.2", "192.0.2.1"])
    (recorded,) = trace.steps()
    assert recorded == Step(
        StepName.RESOLVE,
        host="idp.example",
        text="ok",
        addresses=("192.0.2.1", "192.0.2.2"),
        seconds=recorded.seconds,
    )
    assert observer() is None


def test_inner_steps_come_first_and_no_time_counts_twice(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 1.0, 3.0, 4.0])
    monkeypatch.setattr("airflow_oauth_provider.transport.steps.time.monotonic", lambda: next(now))
    with observed(trace), recording(StepName.REQUEST), recording(StepName.CONNECT):
        pass
    assert [(step.name, step.seconds) for step in trace.steps()] == [
        (StepName.CONNECT, 2.0),
        (StepName.REQUEST, 1.0),
    ]


def fail_at_tls() -> None:
    with recording(StepName.TOKEN):
        with recording(StepName.REQUEST) as step:
            with suppress(OSError), recording(StepName.TLS):
                raise OSError("a library's own words, perhaps with a secret")
            step.fail("the certificate does not verify")
        raise LATE


def test_a_failure_is_at_the_innermost_step_with_the_words_of_the_next(trace: Trace) -> None:
    with observed(trace), suppress(TransportError):
        fail_at_tls()
    (recorded,) = trace.steps(LATE)
    assert (recorded.name, recorded.ok, recorded.text) == (
        StepName.TLS,
        False,
        "the certificate does not verify",
    )


def test_a_failure_after_a_pause_is_another_one(trace: Trace) -> None:
    for name, ok in ((StepName.CONNECT, False), (StepName.PAUSE, True), (StepName.CONNECT, False)):
        trace.add(Step(name, ok, text="refused"))
    assert [step.ok for step in trace.steps()] == [False, True, False]


def test_what_has_not_ended_is_the_step_that_failed(trace: Trace) -> None:
    """A name server that stays silent: the caller gives up, and the flight is still waiting."""
    begun, end = threading.Event(), threading.Event()

    def resolve() -> None:
        with observed(trace), recording(StepName.TOKEN), recording(StepName.RESOLVE, "idp.example"):
            begun.set()
            end.wait(60)

    thread = threading.Thread(target=resolve)
    thread.start()
    begun.wait(60)
    (recorded,) = trace.steps(LATE)
    end.set()
    thread.join(60)
    assert (recorded.name, recorded.ok, recorded.text) == (StepName.RESOLVE, False, LATE.message)


def test_without_any_step_the_error_says_that_nothing_was_asked(trace: Trace) -> None:
    (recorded,) = trace.steps(LATE)
    assert recorded.name is StepName.TOKEN
    assert recorded.text == f"{LATE.message} (no request was made)"


def test_a_failure_without_words_takes_those_of_the_error(trace: Trace) -> None:
    trace.add(Step(StepName.CONNECT, ok=False))
    assert [step.text for step in trace.steps(LATE)] == [LATE.message]


def test_a_trace_does_not_grow_for_ever(trace: Trace) -> None:
    for _ in range(MOST_STEPS + 5):
        trace.add(Step(StepName.REQUEST))
    assert len(trace.steps()) == MOST_STEPS


def test_observers_nest_and_other_threads_have_none(trace: Trace) -> None:
    seen: list[Trace | None] = []
    with observed(trace):
        thread = threading.Thread(target=lambda: seen.append(observer()))
        thread.start()
        thread.join(60)
        with observed(None):
            assert observer() is None
        assert observer() is trace
    assert seen == [None]
