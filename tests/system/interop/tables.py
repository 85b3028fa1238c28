"""The tables as text: how they are printed, and how the page that shows them is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "interoperability.md"
NOT_OFFERED = "not offered"
"""The server's own metadata does not have it."""
NOT_OF_THIS_METHOD = "-"
FAILED = "FAILED"
PROPERTY = "interop"
"""Under which a test's report has its cell: table, row, column and outcome."""
WRITING = "INTEROP_WRITE"
"""Set in the environment while the page is written anew."""


@dataclass(frozen=True)
class Cell:
    """One place of one table."""

    table: str
    row: tuple[str, ...]
    column: str

    def __str__(self) -> str:
        return f"{'/'.join(self.row)}/{self.column}".replace(" ", "-")


@dataclass(frozen=True)
class Table:
    """What a table is about.

    :param headings: of the columns that name a row.
    """

    name: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]

    def cells(self) -> Iterator[Cell]:
        """Yield every cell, row by row."""
        return (Cell(self.name, row, column) for row in self.rows for column in self.columns)

    def lines(self, outcomes: Mapping[Cell, str]) -> list[str]:
        """Return the table in Markdown, its columns aligned so that people can read it as it is."""
        body = [
            [*row, *(outcomes.get(Cell(self.name, row, column), FAILED) for column in self.columns)]
            for row in self.rows
        ]
        lines = [[*self.headings, *self.columns], *body]
        widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
        head, *rest = [_line(line, widths) for line in lines]
        return [head, _line(["-" * width for width in widths], widths), *rest]

    def outcomes(self, text: str) -> dict[Cell, str]:
        """Return what a page says of each cell of this table."""
        lines = [[part.strip() for part in line.strip().strip("|").split("|")] for line in self._shown(text)]
        named = len(self.headings)
        head, body = (lines[0], lines[2:]) if lines else ([], [])
        return {
            Cell(self.name, tuple(line[:named]), column): outcome
            for line in body
            for column, outcome in zip(head[named:], line[named:], strict=True)
        }

    def _shown(self, text: str) -> list[str]:
        start, end = self._marks()
        return text.partition(start)[2].partition(end)[0].split("\n")[1:-1]

    def written_into(self, text: str, outcomes: Mapping[Cell, str]) -> str:
        """Return the page with this table as it is now."""
        start, end = self._marks()
        before, _, rest = text.partition(start)
        lines = "".join(f"{line}\n" for line in self.lines(outcomes))
        return f"{before}{start}\n{lines}{end}{rest.partition(end)[2]}"

    def _marks(self) -> tuple[str, str]:
        return f"<!-- {self.name} -->", f"<!-- /{self.name} -->"


def _line(parts: Iterable[str], widths: Iterable[int]) -> str:
    return f"| {' | '.join(part.ljust(width) for part, width in zip(parts, widths, strict=True))} |"
