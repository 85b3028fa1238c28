"""Servers that are programs: options as JSON on standard input, one line of JSON when they listen."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self


def ending_with_us(command: Sequence[str]) -> list[str]:
    """Return a command whose process ends when ours does, even by SIGKILL, where the machine can do that."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else list(command)


def end(process: subprocess.Popen[Any]) -> None:
    """Have a process end, within 5 seconds."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Program:
    """Run one for a ``with`` block.

    :param command: program and arguments.
    :param folder: in which it runs.
    """

    def __init__(self, command: Sequence[str], folder: Path, options: dict[str, Any]) -> None:
        self._command = command
        self._folder = folder
        self._options = options

    def __enter__(self) -> Self:
        # Warnings of a development set-up go nowhere; what fails shows in the responses.
        self._process = subprocess.Popen(
            ending_with_us(self._command),
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("no pipes to the server")
        stdin.write(json.dumps(self._options))
        stdin.close()
        line = stdout.readline()
        if not line:
            self._process.wait(5)
            raise RuntimeError(f"{self._command} ended with status {self._process.returncode}")
        self.started: dict[str, Any] = json.loads(line)
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        if self._process.stdout:
            self._process.stdout.close()
