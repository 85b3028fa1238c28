"""A server that tests have started ends with them, even where they are killed."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.support.waiting import until

_TESTS = """
from pathlib import Path
from tests.support.servers.program import Program
with Program(["sh", "-c", 'echo "{\\\\"pid\\\\": $$}"; exec sleep 300'], Path("."), {}) as program:
    print(program.started["pid"], flush=True)
    input()
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv not found: it comes with util-linux")
def test_a_killed_run_leaves_no_server() -> None:
    tests = subprocess.Popen(
        [sys.executable, "-c", _TESTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert tests.stdout is not None
    server = tests.stdout.readline().strip()
    tests.kill()
    tests.communicate()
    until(
        lambda: subprocess.run(["kill", "-0", server], capture_output=True, check=False).returncode, "its end"
    )
