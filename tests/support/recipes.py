"""The blocks of ``docs/consumers.md``, run as a reader copies them, against servers on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "consumers.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def recipe(fragment: str, language: str = "python") -> str:
    """Return the one block with *fragment* in it."""
    (code,) = [
        code for kind, code in _BLOCK.findall(PAGE.read_text()) if kind == language and fragment in code
    ]
    return str(code)


def run(fragment: str, instead: Mapping[str, str]) -> dict[str, Any]:
    """Run a block, and return what it defines.

    :param instead: what stands for addresses of the page on this machine.
    """
    code, names = recipe(fragment), {"__name__": "recipe"}
    for written, here in instead.items():
        assert written in code, f"{written} is not in the block"
        code = code.replace(written, here)
    exec(compile(code, PAGE.name, "exec"), names)
    return names
