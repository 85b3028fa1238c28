"""A task in a process of its own that is killed as Airflow kills it, in the middle of a wait."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until


class Killed(NamedTuple):
    """:param seconds: from the signal to the error, without the interpreter's own end."""

    output: str
    seconds: float


def killed(
    program: str,
    argument: str,
    *,
    folder: Path,
    environment: Mapping[str, str],
    waits: Callable[[], object],
    pause: float = 0.3,
) -> Killed:
    """Run *program*, send SIGTERM once it waits, and return what it has written.

    :param folder: in which it runs.
    :param waits: whether it waits; *pause* seconds later it is killed.
    """
    task = subprocess.Popen(
        [sys.executable, "-c", program, argument],
        env=dict(environment),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(waits, "a request of the task")
        time.sleep(pause)
        watch = Stopwatch()
        task.send_signal(signal.SIGTERM)
        output = ""
        while task.stdout and "Error" not in output and (line := task.stdout.readline()):
            output += line
        seconds = watch.seconds
        task.communicate(timeout=60)
    finally:
        task.kill()
    return Killed(output, seconds)
