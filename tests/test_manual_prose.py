"""The manual is read in one breath: its sentences are short."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manual.prose import clauses
from tests.readme import ROOT

LONGEST = 25
"""Words of a sentence, or of its part up to a colon or semicolon."""
PAGES = [
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short(page: Path) -> None:
    too_long = [clause for clause in clauses(page.read_text()) if len(clause.split()) > LONGEST]
    assert too_long == []


def test_what_counts_as_a_sentence() -> None:
    text = """# A heading that nobody reads aloud

Use `airflow oauth2 check --all`: it [asks anew](x.md#y). Then look.

| a cell | of a table |
|---|---|

- **One** item; another.
1. First!

```python
code("is not read. Never.")
```
<!-- generated --> kept <!-- /generated -->
"""
    assert [clause.strip() for clause in clauses(text)] == [
        *("Use code:", "it asks anew.", "Then look.", "**One** item;", "another.", "First!", "kept"),
    ]
