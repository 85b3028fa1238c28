"""Sequence diagrams of the manual, drawn from a few lines of text as SVG; ``make readme`` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

_WIDTH, _STEP, _TOP, _MARGIN = 190, 46, 74, 24
_STEPS = re.compile(r"(?P<source>[\w ]+?) (?P<arrow>-->|->) (?P<target>[\w ]+?): (?P<text>.+)")

_STYLE = """<style>
text { font: 14px system-ui, sans-serif; text-anchor: middle; fill: #1f2937 }
.halo { stroke: #ffffff; stroke-width: 5px }
.who { fill: #e0f2f1; stroke: #00695c }
.note { fill: #fff8e1; stroke: #b45309 }
.life { stroke: #9ca3af; stroke-dasharray: 4 4 }
.call, .back { stroke: #1f2937 }
.back { stroke-dasharray: 6 4 }
</style>"""
_ARROW = (
    '<defs><marker id="end" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
    '<path d="M0,0 L9,4 L0,8 z" fill="#1f2937"/></marker></defs>'
)

DIAGRAMS = {
    "one-token": """
title: One token for the fleet
who: tasks = 1,000 tasks
who: process = process
who: store = shared store
who: server = authorization server
who: api = API
tasks -> process: every task wants a token
process -> store: is there one?
store --> process: no, and the lease is yours
note process store: the other processes wait for the store
process -> server: one token request
server --> process: token, good for an hour
process -> store: token, sealed
store --> process: the same token, for every other process
process --> tasks: token from memory
tasks -> api: call with the token, 1,000 times
api --> tasks: response
note process server: in its last five minutes one process renews it, while the others go on
""",
    "refused-token": """
title: A call whose token is refused
who: task = task
who: package = this package
who: store = shared store
who: server = authorization server
who: api = API
task -> package: run
package -> api: call with token A
api --> package: 401
package -> store: take out token A, if it is still there
store --> package: is there a newer one? no
package -> server: token request, one for all who were refused
server --> package: token B
package -> store: token B, sealed
package -> api: the same call with token B, once
api --> package: 200
package --> task: response
note package api: a second 401 is the task's error, and is remembered for a minute
""",
}


@dataclass(frozen=True)
class _Drawing:
    title: str
    names: dict[str, str]
    lines: list[str]

    @classmethod
    def of(cls, text: str) -> _Drawing:
        lines = text.strip().splitlines()
        who = dict(line.removeprefix("who: ").split(" = ") for line in lines if line.startswith("who: "))
        title = lines[0].removeprefix("title: ")
        return cls(title, who, [line for line in lines[1:] if not line.startswith("who: ")])

    def x(self, name: str) -> int:
        return _MARGIN + _WIDTH // 2 + _WIDTH * list(self.names).index(name)

    def svg(self) -> str:
        width = 2 * _MARGIN + _WIDTH * len(self.names)
        height = _TOP + _STEP * (len(self.lines) + 1)
        body = [
            *self._participants(height),
            *(
                part
                for place, line in enumerate(self.lines, 1)
                for part in self._line(line, _TOP + _STEP * place)
            ),
        ]
        spoken = "; ".join(self._spoken(line) for line in self.lines)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'aria-labelledby="title desc">'
        )
        parts = [head, f'<title id="title">{escape(self.title)}</title>']
        parts += [f'<desc id="desc">{escape(spoken)}</desc>', _STYLE, _ARROW]
        parts += [f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *body, "</svg>", ""]
        return "\n".join(parts)

    def _spoken(self, line: str) -> str:
        match = _STEPS.fullmatch(line)
        if match is None:
            return line.partition(": ")[2]
        return f"{self.names[match['source']]} to {self.names[match['target']]}: {match['text']}"

    def _participants(self, height: int) -> list[str]:
        parts = []
        for name, label in self.names.items():
            x = self.x(name)
            parts += [
                f'<line x1="{x}" y1="60" x2="{x}" y2="{height - 12}" class="life"/>',
                f'<rect x="{x - 84}" y="20" width="168" height="40" rx="6" class="who"/>',
                f'<text x="{x}" y="45">{escape(label)}</text>',
            ]
        return parts

    def _line(self, line: str, y: int) -> list[str]:
        match = _STEPS.fullmatch(line)
        if match is None:
            names, _, text = line.removeprefix("note ").partition(": ")
            left, right = names.split()
            return self._note(left, right, text, y)
        start, end = self.x(match["source"]), self.x(match["target"])
        kind = "back" if match["arrow"] == "-->" else "call"
        return [
            f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" class="{kind}" marker-end="url(#end)"/>',
            *self._text((start + end) // 2, y - 7, match["text"]),
        ]

    def _note(self, left: str, right: str, text: str, y: int) -> list[str]:
        middle = (self.x(left) + self.x(right)) // 2
        width = max(self.x(right) - self.x(left), 8 * len(text))
        return [
            f'<rect x="{middle - width // 2}" y="{y - 22}" width="{width}" height="30" rx="4" class="note"/>',
            f'<text x="{middle}" y="{y - 2}">{escape(text)}</text>',
        ]

    @staticmethod
    def _text(x: int, y: int, text: str) -> list[str]:
        """Return a text that stays readable where it crosses a line."""
        placed = f'x="{x}" y="{y}"'
        return [
            f'<text {placed} class="halo" aria-hidden="true">{escape(text)}</text>',
            f"<text {placed}>{escape(text)}</text>",
        ]


def svg(name: str) -> str:
    """Return a diagram as SVG."""
    return _Drawing.of(DIAGRAMS[name]).svg()


def write(folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(exist_ok=True)
    for name in DIAGRAMS:
        (folder / f"{name}.svg").write_text(svg(name))
