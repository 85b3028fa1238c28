"""The structure of the package in figures: ``python -m tests.structure``.

``tests/test_structure.py`` holds the limits.
"""

from __future__ import annotations

import ast
import io
import statistics
import token as tokens
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_oauth_provider"
_NO_CODE = {tokens.COMMENT, tokens.NL, tokens.NEWLINE, tokens.INDENT, tokens.DEDENT, tokens.ENDMARKER}


@dataclass(frozen=True)
class Module:
    """One file of the package.

    :param name: dotted, as it is imported.
    """

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def code_lines(self) -> int:
        """Lines with code on them: none of a docstring, comments or nothing."""
        numbers: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in _NO_CODE:
                numbers.update(range(token.start[0], token.end[0] + 1))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                numbers.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return len(numbers)

    @property
    def test(self) -> Path:
        """Where its tests are, as a path below the repository."""
        *rooms, name = self.name.split(".")[1:]
        return Path("tests", *rooms, f"test_{name}.py")

    def bodies(self) -> Iterator[int]:
        """Yield the lines of each function's body, its docstring not counted."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                statements = node.body[1:] if ast.get_docstring(node) else node.body
                if statements:
                    yield (node.end_lineno or node.lineno) - statements[0].lineno + 1

    def has_code(self) -> bool:
        """Whether it defines a function or a class."""
        definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        return any(isinstance(node, definitions) for node in ast.walk(self.tree))

    def imported_names(self) -> Iterator[str]:
        """Yield what it imports of the package whenever it runs, in functions too, not for type checkers."""
        for node in _running(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _running(node)


def modules(root: Path = ROOT) -> list[Module]:
    """Return the modules of the package; the ``__init__`` of a room counts as the room."""
    listed = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        listed.append(Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return listed


def at_the_root(all_modules: list[Module]) -> set[str]:
    """Return the names of the files at the root of the package."""
    return {module.path.stem for module in all_modules if module.path.parent.name == PACKAGE}


def circle(all_modules: list[Module]) -> list[str]:
    """Return the modules of one import circle; an empty list when there is none."""
    names = {module.name for module in all_modules}
    graph: dict[str, set[str]] = {}
    for module in all_modules:
        targets = {_module_of(name, names) for name in module.imported_names()}
        graph[module.name] = {target for target in targets if target and target != module.name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _module_of(name: str, names: set[str]) -> str | None:
    """Return the module that an imported name is, or is in."""
    while name and name not in names:
        name = name.rpartition(".")[0]
    return name or None


def to_be_tested(all_modules: list[Module]) -> list[Module]:
    """Return the modules that hold code: not the ``__init__`` of a room, nor a table that another reads."""
    return [module for module in all_modules if module.path.stem != "__init__" and module.has_code()]


def untested(all_modules: list[Module], root: Path = ROOT) -> list[Module]:
    """Return the modules without a test at the mirrored path."""
    return [module for module in to_be_tested(all_modules) if not (root / module.test).is_file()]


def main() -> None:
    everything = modules()
    bodies = [lines for module in everything for lines in module.bodies()]
    longest = max(everything, key=lambda module: module.lines)
    tested, missing = to_be_tested(everything), untested(everything)
    share = 100 * (1 - len(missing) / len(tested))
    print(f"modules                      {len(everything)}")
    print(f"at the package root          {', '.join(sorted(at_the_root(everything)))}")
    print(f"import circle                {' → '.join(circle(everything)) or 'none'}")
    print(f"function body, lines         median {statistics.median(bodies):.0f}, ", end="")
    print(f"p90 {statistics.quantiles(bodies, n=10)[-1]:.0f}, max {max(bodies)}")
    print(f"file, lines                  max {longest.lines} ({longest.path.relative_to(ROOT)}), ", end="")
    print(f"median {statistics.median(module.lines for module in tested):.0f}")
    print(f"tests at the mirrored path   {share:.0f} % of {len(tested)}")
    for module in missing:
        print(f"    missing: {module.test}")


if __name__ == "__main__":
    main()
