"""The configurations that ``docs/consumers.md`` shows, for tests that use them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "consumers.md"


def shown_extra(section: str) -> dict[str, Any]:
    """Return the extra of a connection that a section shows."""
    (block,) = re.findall(r"```json\n(.*?)```", _section(section), re.DOTALL)
    extra: dict[str, Any] = json.loads(block)
    return extra


def shown_python(section: str) -> str:
    """Return the Python that a section shows."""
    (block,) = re.findall(r"```python\n(.*?)```", _section(section), re.DOTALL)
    return str(block)


def shown_options(section: str) -> dict[str, str]:
    """Return the options of ``airflow.cfg`` that a section shows, as variables."""
    variables, part = {}, ""
    for line in "\n".join(re.findall(r"```ini\n(.*?)```", _section(section), re.DOTALL)).splitlines():
        if line.startswith("["):
            part = line.strip("[]")
        elif line:
            name, _, value = line.partition(" = ")
            variables[f"AIRFLOW__{part}__{name}".upper()] = value
    return variables


def _section(heading: str) -> str:
    return PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
