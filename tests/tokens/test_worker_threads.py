"""Threads that are used again."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

import pytest

from airflow_oauth_provider.tokens import worker_threads
from airflow_oauth_provider.tokens.worker_threads import run_in_thread


@pytest.fixture(autouse=True)
def _no_thread_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_threads, "_idle", [])


def wait_until(condition: Callable[[], object]) -> None:
    ends_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.001)


def thread_of(work: Callable[[], object] = lambda: None, name: str = "oauth2-test") -> threading.Thread:
    """Return the thread that *work* was done in, once it is idle again."""
    threads: list[threading.Thread] = []

    def run() -> None:
        work()
        threads.append(threading.current_thread())

    before = len(worker_threads._idle)
    run_in_thread(run, name)
    wait_until(lambda: threads and len(worker_threads._idle) >= max(before, 1))
    return threads[0]


def test_what_comes_soon_has_the_same_thread() -> None:
    assert thread_of() is thread_of()


def test_work_never_waits_for_other_work() -> None:
    gate, ended = threading.Event(), [threading.Event() for _ in range(8)]
    for event in ended:
        run_in_thread(lambda event=event: (event.set(), gate.wait(60)), "oauth2-test")  # type: ignore[misc]
    assert all(event.wait(60) for event in ended)
    gate.set()


def test_a_thread_bears_the_name_of_its_work() -> None:
    names: list[str] = []
    for name in ("oauth2-one", "oauth2-two"):
        thread = thread_of(lambda: names.append(threading.current_thread().name), name)
    assert names == ["oauth2-one", "oauth2-two"]
    assert thread.name == "oauth2-idle"
    assert thread.daemon, "the process ends without waiting for it"


def test_an_idle_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_threads, "IDLE", 0.01)
    thread = thread_of_one_shot()
    thread.join(60)
    assert not thread.is_alive()
    assert worker_threads._idle == []


def thread_of_one_shot() -> threading.Thread:
    threads: list[threading.Thread] = []
    run_in_thread(lambda: threads.append(threading.current_thread()), "oauth2-test")
    wait_until(lambda: threads)
    return threads[0]


def test_a_thread_that_is_taken_as_its_time_ends_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the end of its wait and leaving the list, somebody has taken it: nobody else has the work."""
    monkeypatch.setattr(worker_threads, "IDLE", 0.0005)
    done: list[int] = []
    for number in range(500):
        run_in_thread(lambda number=number: done.append(number), "oauth2-test")  # type: ignore[misc]
        time.sleep(0.0004)
    wait_until(lambda: len(done) == 500)
    assert sorted(done) == list(range(500))


def test_an_idle_thread_holds_nothing_of_its_last_work() -> None:
    class Secret:
        """Stands for what a frame of the work holds."""

    thread_of()
    for _ in range(2):  # the first work of a thread, and a later one
        secret = Secret()
        gone = weakref.ref(secret)
        thread_of(partial(id, secret))
        del secret
        gc.collect()
        assert gone() is None
        worker_threads._idle.clear()


def test_each_work_has_a_context_of_its_own() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="nothing")
    seen: list[str] = []
    assert thread_of(lambda: variable.set("of the first")) is thread_of(lambda: seen.append(variable.get()))
    assert seen == ["nothing"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_begins_a_thread_of_its_own() -> None:
    thread_of()
    child = os.fork()
    if child == 0:
        done = threading.Event()
        run_in_thread(done.set, "oauth2-test")
        os._exit(0 if done.wait(60) else 1)
    assert os.waitpid(child, 0)[1] == 0
