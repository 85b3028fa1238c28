"""What keeping a history costs: token requests, appends, time, and bytes in the store."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import timeit
import warnings
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, server  # noqa: E402

PROCESSES, TOKENS = 20, 500
MINUTES, A_MINUTE = 30, 400
USES = 10_000
TASK = f"""
import logging; logging.disable(logging.INFO)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
hook = OAuth2Hook("bench")
for _ in range({TOKENS}):
    hook.get_token()
"""


def short_tasks(report: Report, where: Server, home: Path) -> None:
    """Run processes that live less than a minute, one after the other."""
    from airflow.providers.common.compat.sdk import BaseHook

    from airflow_oauth_provider.authorizations.history import history_of

    for number in range(PROCESSES):
        environment = os.environ | {"AIRFLOW_CTX_DAG_ID": "bench", "AIRFLOW_CTX_TASK_ID": f"task_{number}"}
        subprocess.run([sys.executable, "-W", "ignore", "-c", TASK], env=environment, check=True)
    (appended,) = (home / "oauth2_token_store").glob("*.appended")
    lines = appended.read_bytes().split(b"\n")[1:]
    history = history_of(BaseHook.get_connection("bench"))
    assert history is not None
    counts = history.total(0, 1e12)
    report.figure(
        f"token requests of {PROCESSES} processes, {TOKENS} tokens each", where.counts()["token"], 1
    )
    report.figure("  appends of one such process", len(lines) / PROCESSES, 1)
    report.figure("  bytes of the longest append", max(map(len, lines)) + 1, 256)
    missing = PROCESSES * TOKENS - counts.tokens + PROCESSES - len(history.uses())
    report.figure("  tokens and tasks that the history does not know", missing, 0)


def busy_process(report: Report) -> None:
    """Count half an hour on a clock of its own."""
    from airflow_oauth_provider.client.history import Recorder, Subject
    from airflow_oauth_provider.tokens.history.counts import Counts
    from airflow_oauth_provider.tokens.sharing import Sharing
    from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
    from tests.support.builders import settings

    appends: list[float] = []

    class Store(MemoryStore):
        def append(self, name: str, items: Sequence[bytes], *, until: float) -> bool:
            appends.append(now[0])
            return super().append(name, items, until=until)

    now, recorder = [1000.0], Recorder()
    subject = Subject("bench", settings(), Sharing(Store(), history_days=7))
    with mock.patch.object(time, "monotonic", side_effect=lambda: now[0]):
        for _ in range(MINUTES * A_MINUTE):
            recorder.count(subject, Counts(from_memory=25))
            for thread in threading.enumerate():
                if thread.name == "oauth2-history":
                    thread.join()
            now[0] += 60 / A_MINUTE
        recorder.end()
    report.figure("appends a minute of a process that counts 400 times a minute", len(appends) / MINUTES, 1)


def hot_path(report: Report) -> None:
    """Count as the caller's side does, and append as its background does."""
    from airflow_oauth_provider.client.history import Recorder, Subject
    from airflow_oauth_provider.tokens.history.counts import Counts
    from airflow_oauth_provider.tokens.history.delta import deltas
    from airflow_oauth_provider.tokens.history.task_names import dumped_task
    from airflow_oauth_provider.tokens.history.timeline import Timeline
    from airflow_oauth_provider.tokens.sharing import Sharing
    from airflow_oauth_provider.tokens.stores.file_store import FileStore
    from tests.support.builders import settings

    store = FileStore(Path(tempfile.mkdtemp()) / "store")
    subject, recorder, one = (
        Subject("bench", settings(), Sharing(store, history_days=7)),
        Recorder(),
        Counts(1),
    )
    taken = [timeit.timeit(lambda: recorder.count(subject, one), number=2000) / 2000 * 1e6 for _ in range(15)]
    report.figure("to count, at most once a second and connection", statistics.median(taken), 50, " µs")
    minute, journal = int(time.time() // 60), subject.journal
    lot = [
        delta
        for number in range(USES)
        for delta in deltas(minute - number % 10_000, one, [dumped_task(f"dag_{number}", "task")])
    ]
    taken = [timeit.timeit(lambda: journal.append(lot[:1]), number=1) * 1e3 for _ in range(200)]
    report.figure("to append to a file", statistics.median(taken), None, " ms")
    for begin in range(0, USES, 1000):
        journal.append(lot[begin : begin + 1000])
    taken = [timeit.timeit(journal.timeline, number=1) * 1e3]
    report.figure("to merge the newest 4,096 and more of 10,000 uses", taken[0], None, " ms")
    journal.append(lot[:20])
    report.figure("to merge 20 uses into that", timeit.timeit(journal.timeline, number=1) * 1e3, None, " ms")
    sizes = [path.stat().st_size / 1024 for path in store.folder.iterdir()]
    report.figure("a connection's history after 10,000 uses", max(sizes), 64, " KiB")
    assert isinstance(journal.timeline(), Timeline)


def main(where: Server) -> None:
    import logging

    logging.disable(logging.INFO)
    home = Path(tempfile.mkdtemp())
    os.environ["AIRFLOW_HOME"] = str(home)
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection())
    report = Report("History")
    short_tasks(report, where, home)
    busy_process(report)
    hot_path(report)
    report.end()


if __name__ == "__main__":
    with server() as running:
        main(running)
