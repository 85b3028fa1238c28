"""A process that has imported what programs need, and forks one for each of them.

To import Airflow takes a core one or two seconds, which many short programs that all begin with it (fleets,
most of all) so share. A program is a function of one text, which prints; it has an environment, a memory and
a process group of its own.

As a program (``python -m tests.support.preloaded MODULE:FUNCTION MODULE…``) this is that process: it reads a
program's environment and text as a line of JSON, and prints what the program prints, then how it ended.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
_END = "PROGRAM ENDED "
_BEGIN = "PROGRAM BEGINS "


class Preloaded:
    """Runs one program at a time; its process begins with the first, and ends with this process.

    :param function: ``module:function`` that each program calls.
    :param modules: that are imported before.
    """

    def __init__(self, function: str, modules: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", "tests.support.preloaded", function, *modules]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def run(
        self,
        text: str,
        environment: Mapping[str, str],
        timeout: float,
        printed: Callable[[str], None] = lambda _: None,
    ) -> tuple[int, str]:
        """Return a program's exit code, and what it has printed.

        :param timeout: seconds after which it is killed.
        :param printed: is called with each line as it comes.
        """
        with self._lock:
            process = self._process = self._running(environment)
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps([dict(environment), text]) + "\n")
            process.stdin.flush()
            imports: list[str] = []  # what they print
            while not (begins := process.stdout.readline()).startswith(_BEGIN):
                if not begins:
                    raise RuntimeError(f"no program could be run:\n{''.join(imports)[-3000:]}")
                imports.append(begins)
            program = int(begins.removeprefix(_BEGIN))
            watchdog = threading.Timer(timeout, _kill, [program])
            watchdog.start()
            try:
                lines: list[str] = []
                while not (line := process.stdout.readline()).startswith(_END):
                    if not line:
                        raise RuntimeError(f"the process of the programs ended:\n{''.join(lines)[-3000:]}")
                    lines.append(line)
                    printed(line)
                return int(line.removeprefix(_END)), "".join(lines)
            finally:
                watchdog.cancel()
                _kill(program)  # whatever it has left behind

    @property
    def imported(self) -> bool:
        """Whether the process with the imports is there."""
        return self._process is not None and self._process.poll() is None

    def _running(self, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        if self._process is not None and self.imported:
            return self._process
        process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        atexit.register(self.end)
        return process

    def end(self) -> None:
        """Close the input of the process, after which it ends."""
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe and not pipe.closed:
                    pipe.close()
            self._process.wait()


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def main(function: str, *modules: str) -> None:
    """Run the programs of standard input."""
    module, _, name = function.partition(":")
    for imported in (*modules, module):
        importlib.import_module(imported)
    gc.freeze()  # what is there before the programs are made is copied for none of them
    sys.stdout.flush()  # else each program would print it, too
    for line in sys.stdin:
        environment, text = json.loads(line)
        program = os.fork()
        if program == 0:
            _run(module, name, environment, text)
        _, status = os.waitpid(program, 0)
        print(f"\n{_END}{os.waitstatus_to_exitcode(status)}", flush=True)


def _run(module: str, name: str, environment: Mapping[str, str], text: str) -> None:
    """Be the program, to the end of the process: with what it has registered for that."""
    os.setpgid(0, 0)
    print(f"{_BEGIN}{os.getpid()}", flush=True)
    os.environ.clear()
    os.environ.update(environment)
    try:
        getattr(sys.modules[module], name)(text)
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    sys.exit()


if __name__ == "__main__":
    main(*sys.argv[1:])
