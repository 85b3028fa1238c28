"""What this process has seen of its connections, until it is appended to their history.

Rules:

* To count is a few additions in memory. What is counted is appended a minute later at the earliest, by the
  next that counts, by the loop where there is one, and in any case when the process ends: so at most once
  for each minute and connection, and once at all by a task that is short.
* To append may block, and never does so in the thread of a caller.
* Nothing here calls Airflow, and what fails here costs a figure, never a token.

A task's process ends by ``os._exit``. Before it does, Airflow's supervisor runs the exit functions that
were registered after the fork, and this module registers its own when the process first counts;
``multiprocessing`` runs finalizers instead. A process that is killed loses its last minute.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from airflow_oauth_provider.client.running_task import in_triggerer, running_task
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import credential_key
from airflow_oauth_provider.tokens.history.counts import NOTHING, Counts
from airflow_oauth_provider.tokens.history.delta import Delta, deltas
from airflow_oauth_provider.tokens.history.journal import Journal
from airflow_oauth_provider.tokens.sharing import Sharing

INTERVAL = 60.0
"""Seconds between two appends of this process for one connection."""
MERGE_INTERVAL = 600.0
"""Seconds between two merges of a triggerer for one connection."""
MOST_CONNECTIONS = 1024
MOST_TASKS = 64
"""Tasks of one connection that wait to be appended."""
LAST_STEPS = 0.5
"""Seconds that the end of a process waits for an append under way."""


@dataclass(frozen=True)
class Subject:
    """A connection, as this process uses it.

    :param settings: its own, whatever a single use asks for.
    """

    conn_id: str
    settings: ClientSettings
    sharing: Sharing

    @property
    def key(self) -> tuple[str, str]:
        """Tell it from others, and from itself with another credential."""
        return self.conn_id, credential_key(self.settings)

    @property
    def journal(self) -> Journal:
        """Its history in the store."""
        return Journal(self.conn_id, self.settings, self.sharing)


@dataclass
class _Pending:
    """What is not appended yet.

    :param since: monotonic seconds at which it began; *minute* the same by the wall clock.
    :param appended_at: monotonic seconds of the last append, *merged_at* of the last merge.
    :param under_way: a thread is about to append it.
    :param loop: that looks after it.
    """

    subject: Subject
    counts: Counts = NOTHING
    tasks: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    minute: int = 0
    since: float | None = None
    appended_at: float = float("-inf")
    merged_at: float = float("-inf")
    under_way: bool = False
    loop: weakref.ref[asyncio.AbstractEventLoop] | None = None

    def add(self, counts: Counts, task: bytes | None) -> None:
        if self.since is None:
            self.since, self.minute = time.monotonic(), int(time.time() // 60)
        self.counts = self.counts.plus(counts)
        if task is not None:
            self.tasks[task] = None
            while len(self.tasks) > MOST_TASKS:
                self.tasks.popitem(last=False)

    def is_due(self, now: float) -> bool:
        return self.since is not None and now - max(self.since, self.appended_at) >= INTERVAL

    def may_append(self, now: float) -> bool:
        return self.since is not None and now - self.appended_at >= INTERVAL

    def taken(self, *, whole: bool) -> list[Delta]:
        """Return it as deltas, and begin anew.

        :param whole: with all the tasks, and not only with those that one delta has room for.
        """
        divided = deltas(self.minute, self.counts, self.tasks)
        rest = [] if whole else [task for delta in divided[1:] for task in delta.tasks]
        self.counts, self.tasks, self.since = NOTHING, OrderedDict.fromkeys(rest), None
        if rest:
            self.since = time.monotonic()
        return divided if whole else divided[:1]


class Recorder:
    """Counts what this process sees, and appends it to the histories of its connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: OrderedDict[tuple[str, str], _Pending] = OrderedDict()
        self._left_over: deque[tuple[Subject, int]] = deque(maxlen=4096)
        self._appending: set[threading.Thread] = set()
        self._ends_with: int | None = None
        self.before_end: Callable[[], None] = lambda: None

    def count(self, subject: Subject, counts: Counts = NOTHING) -> None:
        """Count outcomes, and the task that runs here."""
        if not subject.sharing.history_days:
            return
        task = running_task()
        with self._lock:
            pending = self._of(subject)
            begins = pending.since is None
            pending.add(counts, task)
            due = not pending.under_way and pending.is_due(time.monotonic())
            pending.under_way |= due
        self._end_with_process()
        if due:
            self._in_background(pending)
        elif begins:
            self._have_loop_append(pending)

    def leave(self, subject: Subject, hits: int) -> None:
        """Count hits that a client leaves behind; takes no lock: a garbage collector may be calling."""
        self._left_over.append((subject, hits))

    def append_now(self, subject: Subject) -> None:
        """Append what waits for that, unless the last time is less than a minute ago."""
        with self._lock:
            pending = self._pending.get(subject.key)
        if pending is not None:
            self._append(pending)

    def end(self) -> None:
        """Append everything: the process ends."""
        self.before_end()
        self._take_left_over()
        for thread in list(self._appending):
            thread.join(LAST_STEPS)
        for pending in list(self._pending.values()):
            with suppress(Exception):  # nobody is there any more who could do anything about it
                self._append(pending, whole=True)

    def reset(self) -> None:
        """Know no more than a new process does."""
        self._lock = threading.Lock()
        self._pending.clear()
        self._left_over.clear()
        self._appending.clear()

    def _of(self, subject: Subject) -> _Pending:
        key = subject.key
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending(subject)
            if len(self._pending) > MOST_CONNECTIONS:
                self._pending.popitem(last=False)
        pending.subject = subject
        return pending

    def _take_left_over(self) -> None:
        with suppress(IndexError):
            while True:
                subject, hits = self._left_over.popleft()
                with self._lock:
                    self._of(subject).add(Counts(from_memory=hits), None)

    def _append(self, pending: _Pending, *, whole: bool = False) -> None:
        self._take_left_over()
        with self._lock:
            if pending.since is None or not (whole or pending.may_append(time.monotonic())):
                return
            before = pending.appended_at
            pending.appended_at = time.monotonic()
            minute, taken = pending.minute, pending.taken(whole=whole)
        if not pending.subject.journal.append(taken):
            with self._lock:  # the store does not work: later, perhaps
                pending.appended_at = before if whole else pending.appended_at
                for delta in taken:
                    pending.add(delta.counts, None)
                    pending.tasks.update(OrderedDict.fromkeys(delta.tasks))
                pending.minute = minute

    def _in_background(self, pending: _Pending) -> None:
        def append() -> None:
            try:
                with suppress(Exception):  # a figure, never a token
                    self._append(pending)
                    if in_triggerer():
                        self._merge(pending)
            finally:
                pending.under_way = False
                self._appending.discard(threading.current_thread())

        thread = threading.Thread(target=append, name="oauth2-history", daemon=True)
        self._appending.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is about to end
            pending.under_way = False
            self._appending.discard(thread)

    @staticmethod
    def _merge(pending: _Pending) -> None:
        """Merge in a triggerer, which lives long, what all processes have appended."""
        now = time.monotonic()
        if now - pending.merged_at >= MERGE_INTERVAL:
            pending.merged_at = now
            pending.subject.journal.timeline()

    def _have_loop_append(self, pending: _Pending) -> None:
        """Have the running loop append it, since nobody may come by for long."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return

        if pending.loop is not None and pending.loop() is loop:
            return
        pending.loop = weakref.ref(loop)

        def append() -> None:
            if pending.since is None:
                pending.loop = None
                return
            if not pending.under_way and pending.is_due(time.monotonic()):
                pending.under_way = True
                self._in_background(pending)
            loop.call_later(INTERVAL + 0.1, append)

        loop.call_later(INTERVAL + 0.1, append)

    def _end_with_process(self) -> None:
        if self._ends_with == os.getpid():
            return
        self._ends_with = os.getpid()
        atexit.register(self.end)
        multiprocessing = sys.modules.get("multiprocessing.util")
        if multiprocessing is not None:
            multiprocessing.Finalize(None, self.end, exitpriority=1)


recorder = Recorder()
"""The one of this process."""


def _reset_after_fork() -> None:
    recorder.reset()


os.register_at_fork(after_in_child=_reset_after_fork)
