"""Threads for what blocks, used again where the next work comes soon.

Rules:

* Work never waits for other work: where no thread is idle, a new one begins. One slow server holds up nobody.
* A thread that has ended its work waits for more for ``IDLE`` seconds, then ends. To start a thread costs a
  third of a whole token request.
* An idle thread holds nothing of its last work, whose frames hold secrets, and each work has a context of its
  own.
* No lock is taken: a forked process would find it held. What is done to the list of idle threads is one
  operation each, and whoever takes a thread out of it owns the thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from queue import Empty, SimpleQueue

from airflow_oauth_provider.exceptions import TransportError

IDLE = 5.0
"""Seconds that a thread waits for more work."""

_Work = tuple[Callable[[], object], str]
_idle: list[SimpleQueue[_Work]] = []


def run_in_thread(work: Callable[[], object], name: str) -> None:
    """Have *work* done in a thread; it sees to its own errors.

    :param name: of the thread meanwhile.
    :raises TransportError: when the system grants no more threads, or the interpreter is ending.
    """
    try:
        thread = _idle.pop()
    except IndexError:
        thread = _new_thread(name)
    thread.put((work, name))


def _new_thread(name: str) -> SimpleQueue[_Work]:
    own: SimpleQueue[_Work] = SimpleQueue()
    with suppress(RuntimeError):  # is all that Python says of it
        # The work comes by the queue: what a thread is started with, it holds until it ends.
        threading.Thread(target=_serve, args=(own,), name=name, daemon=True).start()
        return own
    raise TransportError(
        "this process can begin no more threads: see the limits of processes and memory of its host or "
        "container",
        retryable=True,
    )


def _serve(own: SimpleQueue[_Work]) -> None:
    current = threading.current_thread()
    work, name = own.get()
    while True:
        current.name = name
        Context().run(work)
        del work
        current.name = "oauth2-idle"
        _idle.append(own)
        coming = _next_work(own)
        if coming is None:
            return
        work, name = coming
        del coming


def _next_work(own: SimpleQueue[_Work]) -> _Work | None:
    try:
        return own.get(timeout=IDLE)
    except Empty:
        pass
    try:
        _idle.remove(own)
    except ValueError:  # somebody has taken the thread at this moment
        return own.get()
    return None


def _reset_after_fork() -> None:
    """Know none of the parent's threads."""
    _idle.clear()


os.register_at_fork(after_in_child=_reset_after_fork)
