"""The blocks of ``docs/consumers.md``, run as a reader copies them, against servers on this machine."""

from __future__ import annotations

import re
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


def run(fragment: str, **addresses: str) -> dict[str, Any]:
    """Run a block, and return what it defines.

    :param addresses: by host name as the page has it, with underscores for dots: what stands there instead.
    """
    code, names = recipe(fragment), {"__name__": "recipe"}
    for name, address in addresses.items():
        written = name.replace("_", ".")
        assert written in code, f"{written} is not in the block"
        code = code.replace(written, address)
    exec(compile(code, PAGE.name, "exec"), names)
    return names
