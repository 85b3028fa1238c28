"""What commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache
from typing import Any, TextIO

from airflow_oauth_provider.authorizations.clamping import LONGEST_CELL, clamp
from airflow_oauth_provider.authorizations.remedies import remedy
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.texts import plain

_STDOUT, _STDERR = 1, 2
DOCUMENTS = frozenset({"json", "yaml"})
"""Values of --output that print one document and nothing else."""
EVERY = 10.0
"""Seconds between two lines of progress where nobody watches a terminal."""


def print_document(data: Any, output: str) -> None:
    """Print one document, in JSON or YAML; both hold the same.

    Airflow's own printer would make texts of numbers, times and truth values.
    """
    text = json.dumps(data, indent=2)
    if output == "yaml":
        from airflow.utils.yaml import dump

        text = dump(json.loads(text), sort_keys=False, allow_unicode=True).rstrip()
    print(text, file=_results, flush=True)


_results: TextIO | None = None


@contextmanager
def only_results() -> Iterator[None]:
    """Give standard output to :func:`print_document` alone; all else goes to standard error."""
    global _results  # noqa: PLW0603  (as sys.stdout is)
    _results = _taken() if sys.stdout is sys.__stdout__ else sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results = None


@cache
def _taken() -> TextIO:
    """Take standard output from all others, to the end of the process.

    Airflow logs to it by handlers that took hold of it long ago, and even while the process ends: so
    the descriptor itself is turned.
    """
    sys.stdout.flush()
    taken = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    return open(taken, "w", closefd=False, encoding=sys.stdout.encoding)


def print_table(rows: Sequence[Mapping[str, Any]], output: str = "table") -> None:
    """Print rows with Airflow's own table, or its plain one.

    Cells hold what servers and editors wrote: control characters would steer the terminal, and
    neither brackets nor colons are meant as markup.
    """
    from airflow.cli.simple_table import AirflowConsole

    console = AirflowConsole(markup=False, emoji=False, highlight=False)
    cells = [{name: clamp(plain(value), LONGEST_CELL) for name, value in row.items()} for row in rows]
    console.print_as(cells, output=output)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print name and value, a line each; lists are joined, empty ones left out."""
    rows = [(name, _joined(value)) for name, value in facts.items()]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        if value:
            print(f"{name:<{width}}  {value}")  # noqa: T201


def print_rows(reports: Any, rows: Sequence[Mapping[str, Any]], output: str) -> None:
    """Print a list: *reports* as a document, *rows* as a table."""
    if output in DOCUMENTS:
        print_document(reports, output)
    else:
        print_table(rows, output)


def print_outcome(facts: Mapping[str, Any], output: str) -> None:
    """Print facts, as a document where one is asked for."""
    if output in DOCUMENTS:
        print_document(facts, output)
    else:
        print_facts(facts)


def print_result(text: str) -> None:
    """Print a result that is one sentence."""
    print(plain(text))  # noqa: T201


def print_message(text: str) -> None:
    """Print what is no result."""
    print(plain(text), file=sys.stderr)  # noqa: T201


def print_error(error: OAuthError | None) -> None:
    """Print an error, with what to do about it: what its type suggests, where it does not say so itself."""
    if isinstance(error, WrongFieldsError):
        print_messages(error.lines)
    elif error is None or error.advice or isinstance(error, ConfigurationError):
        print_message(str(error))
    else:
        print_message(f"{error}. {remedy(error)}")


def print_messages(texts: Iterable[str]) -> None:
    """Print several messages, none of them twice."""
    for text in dict.fromkeys(texts):
        print_message(text)


def _joined(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return plain(value)


class Progress:
    """How many are done: a bar on a terminal, a line now and then elsewhere; always on standard error."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._reported_at = time.monotonic()
        self._bar: Any = None

    @contextmanager
    def display(self) -> Iterator[Progress]:
        """Display it, where there is more than one."""
        if self._total < 2 or not sys.stderr.isatty():
            yield self
            return
        from rich.console import Console
        from rich.progress import Progress as Bar

        with Bar(console=Console(stderr=True), transient=True) as bar:
            self._bar = bar, bar.add_task("Checking", total=self._total)
            yield self

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=self._done)
        elif self._total > 1 and (self._done == self._total or time.monotonic() - self._reported_at > EVERY):
            self._reported_at = time.monotonic()
            print_message(f"Checked {self._done} of {self._total}")
