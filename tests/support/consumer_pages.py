"""What the pages below ``docs/consumers`` show, for tests that use it, against servers on this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parents[2] / "docs" / "consumers"


def shown(page: str, language: str, fragment: str = "") -> str:
    """Return the one block of a page in *language*, or of several that with *fragment* in it."""
    text = (PAGES / f"{page}.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if fragment in block]
    return str(block)


def shown_json(page: str) -> dict[str, Any]:
    """Return the JSON that a page shows: a connection, or the extra of one."""
    value: dict[str, Any] = json.loads(shown(page, "json"))
    return value


def shown_options(page: str) -> dict[str, str]:
    """Return the options of ``airflow.cfg`` that a page shows, as variables."""
    variables, part = {}, ""
    for line in shown(page, "ini").splitlines():
        if line.startswith("["):
            part = line.strip("[]")
        elif line:
            name, _, value = line.partition(" = ")
            variables[f"AIRFLOW__{part}__{name}".upper()] = value
    return variables


def run(page: str, instead: Mapping[str, str], fragment: str = "") -> dict[str, Any]:
    """Run the Python of a page as a reader copies it, and return what it defines.

    :param instead: what stands for addresses of the page on this machine.
    :param fragment: as of :func:`shown`.
    """
    code, names = shown(page, "python", fragment), {"__name__": "recipe"}
    for written, here in instead.items():
        assert written in code, f"{written} is not in the block"
        code = code.replace(written, here)
    exec(compile(code, f"{page}.md", "exec"), names)
    return names
