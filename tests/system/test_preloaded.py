"""Programs that share the imports, and nothing else."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.preloaded import ROOT, Preloaded
from tests.support.waiting import until

THIS = "tests.system.test_preloaded"
seen: list[str] = []


def program(text: str) -> None:
    """What the tests run, in a process of its own."""
    if text == "fails":
        raise LookupError(text)
    if text == "hangs":
        time.sleep(600)
    if text == "leaves":
        atexit.register(print, "what it has left to the end")
    seen.append(text)
    print(json.dumps([seen, os.environ.get("ONE"), os.environ.get("TWO"), os.getpid(), os.getppid()]))


@pytest.fixture(scope="module")
def programs() -> Iterator[Preloaded]:
    made = Preloaded(f"{THIS}:program", ["json"])
    yield made
    made.end()


def test_each_has_a_memory_and_an_environment_of_its_own(programs: Preloaded) -> None:
    first = programs.run("a", {**os.environ, "ONE": "1"}, 60)
    second = programs.run("b", {**os.environ, "TWO": "2"}, 60)
    assert (first[0], second[0]) == (0, 0), (first, second)
    (seen_first, *environment, one, parent), (seen_second, *other, two, other_parent) = (
        json.loads(printed) for _, printed in (first, second)
    )
    assert (seen_first, seen_second) == (["a"], ["b"])
    assert (environment, other) == (["1", None], [None, "2"])
    assert one != two
    assert parent == other_parent, "one process has made both"


def test_what_fails_or_hangs_is_told_and_the_next_one_runs(programs: Preloaded) -> None:
    code, printed = programs.run("fails", os.environ, 60)
    assert code == 1
    assert "LookupError: fails" in printed
    code, _ = programs.run("hangs", os.environ, 0.2)
    assert code == -9
    assert programs.run("c", os.environ, 60)[0] == 0


def test_what_it_leaves_to_its_end_is_done(programs: Preloaded) -> None:
    code, printed = programs.run("leaves", os.environ, 60)
    assert code == 0
    assert "what it has left to the end" in printed


def test_its_process_ends_with_the_one_that_made_it() -> None:
    maker = (
        "import os; from tests.support.preloaded import Preloaded;"
        f"made = Preloaded('{THIS}:program', []);"
        "print(made.run('x', os.environ, 60)[1], flush=True); os._exit(0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", maker], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    parent = json.loads(ended.stdout)[-1]
    until(lambda: not _runs(parent), "the end of the process that has the imports")


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def test_what_imports_print_is_no_program() -> None:
    talkative = Preloaded(f"{THIS}:program", ["this"])
    code, printed = talkative.run("x", os.environ, 60)
    assert code == 0
    assert "Zen" not in printed
    talkative.end()


def test_what_cannot_be_imported_is_told() -> None:
    nothing = Preloaded("tests.no_such_module:program", [])
    with pytest.raises(RuntimeError, match="no_such_module"):
        nothing.run("x", os.environ, 60)
    nothing.end()
