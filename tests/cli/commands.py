"""Run ``airflow`` commands against a metadata database of their own.

One process runs them all, one after the other, since starting Airflow takes seconds: as a program
(``python -m tests.cli.commands``) this module is that process. Between two commands it forgets what
only a process remembers.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.demo.dag_runs import ROOT
from tests.support.migrated import migrate

_REPLY = "answer: "
# Ctrl-C as in a terminal, also where whatever runs the tests ignores it.
_PROGRAM = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("airflow", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Ended:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """A migrated Airflow home, and the process that runs commands on it."""

    def __init__(self, home: Path, *, database: str | None = None) -> None:
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        if database:
            self.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database

    def __enter__(self) -> Self:
        migrate(self.environment)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.commands"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait(30)

    def __call__(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ended:
        """Run ``airflow`` with these arguments."""
        pipes = self._process.stdin, self._process.stdout
        if pipes[0] is None or pipes[1] is None:
            raise AssertionError("the process has no pipes")
        pipes[0].write(json.dumps({"arguments": arguments, "stdin": stdin, "env": dict(env or {})}) + "\n")
        pipes[0].flush()
        # Airflow 3.2 logs to standard output, too.
        line = next(line for line in pipes[1] if line.startswith(_REPLY))
        return Ended(**json.loads(line.removeprefix(_REPLY)))

    def alone(self, *arguments: str, stdin: str = "") -> Ended:
        """Run it in a process of its own, as people do."""
        with self.started(*arguments) as process:
            out, err = process.communicate(stdin)
        return Ended(process.returncode, out, err)

    def started(self, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start it in a process of its own, and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )


def _main() -> None:
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    from airflow.cli import cli_parser

    from airflow_oauth_provider.client import report
    from airflow_oauth_provider.tokens.manager import shared

    for line in sys.stdin:
        asked = json.loads(line)
        shared.clear()
        report.reset()
        out, err, code = io.StringIO(), io.StringIO(), 0
        before = dict(os.environ)
        os.environ.update(asked["env"])
        sys.argv, sys.stdin = ["airflow", *asked["arguments"]], io.StringIO(asked["stdin"])
        try:
            with redirect_stdout(out), redirect_stderr(err):
                args = cli_parser.get_parser().parse_args(asked["arguments"])
                args.func(args)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except Exception:
            code = 1
            traceback.print_exc(file=err)
        finally:
            os.environ.clear()
            os.environ.update(before)
        with suppress(BrokenPipeError):
            ended = {"code": code, "out": out.getvalue(), "err": err.getvalue()}
            channel.write(f"\n{_REPLY}{json.dumps(ended)}\n")
            channel.flush()


if __name__ == "__main__":
    _main()
