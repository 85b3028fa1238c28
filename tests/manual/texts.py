"""The sentences that people see, read from the sources: those of errors, and warnings of the log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from airflow_oauth_provider import exceptions

PACKAGE = Path(exceptions.__file__).parent
GAP = "…"
_ERRORS = {
    name
    for name, value in vars(exceptions).items()
    if isinstance(value, type) and issubclass(value, exceptions.OAuthError)
}
# Errors of values, which become a ConfigurationError that names the field or argument.
_OF_VALUES = {
    *("FieldError", "UrlError", "PortError", "PathError", "SignError", "JwkError", "KeyMaterialError"),
    *("DetailsError", "DocumentError", "CredentialsError", "ConfinedFileError", "UnknownStoreError"),
}


@dataclass(frozen=True, order=True)
class Sentence:
    """One text, with ``…`` for what is put into it.

    :param kind: the error's class, or ``warning``.
    :param field: the field or argument that the error names; empty where that is put in, too.
    """

    text: str
    kind: str
    field: str = ""
    advice: str = ""


# Parameters that hold a text for people.
_TEXTS = {"reason", "message", "text", "detail"}


@dataclass(frozen=True)
class _Maker:
    """A function that makes an error of what it is given.

    :param text: place of the text among the arguments; *field* likewise.
    :param before: what the error has before the text; *after* likewise.
    """

    kind: str
    text: int
    field: int | None = None
    before: str = ""
    after: str = ""


_MAKERS = {"protocol.token.response": {"_malformed": _Maker("TokenResponseError", 0)}}


class _Module:
    """The sentences of one file."""

    def __init__(self, path: Path) -> None:
        self.name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        self.tree = _tree(path)
        self.values = _values(self.tree)
        self.constants = _assigned(self.tree)

    def texts(self, node: ast.expr | None) -> Iterator[str]:
        """Yield what an expression can be, as text."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(self._part(part) for part in node.values)
        elif isinstance(node, ast.IfExp):
            yield from self.texts(node.body)
            yield from self.texts(node.orelse)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            lefts, rights = list(self.texts(node.left)), list(self.texts(node.right))
            yield from (left + right for left in lefts or [GAP] for right in rights or [GAP])
        elif isinstance(node, ast.Name) and node.id in self.constants:
            yield from self.texts(self.constants[node.id])

    def _part(self, part: ast.expr) -> str:
        """Return a part of a text that is put together: a constant of the module as it is, else a gap."""
        if isinstance(part, ast.Constant):
            return str(part.value)
        if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            return self.values.get(part.value.id, GAP)
        return GAP

    def _parts(self, parts: list[Any]) -> str:
        return "".join(self._part(part) for part in parts if isinstance(part, ast.expr))

    def makers(self) -> dict[str, _Maker]:
        """Return the functions that make an error of a text they are given: of this module, and imported."""
        makers = dict(_MAKERS.get(self.name, {}))
        for path, names in _imports(self.tree):
            theirs, classes = _own_makers(path)
            makers |= {
                name: maker
                for name, maker in theirs.items()
                if name in names or (names & classes and not name.startswith("_"))
            }
        return makers | self.own_makers()

    def own_makers(self) -> dict[str, _Maker]:
        """Return those that are defined here."""
        makers: dict[str, _Maker] = {}
        for function in ast.walk(self.tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            names = [argument.arg for argument in function.args.args if argument.arg != "self"]
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                kind = _error(call)
                given = self._given(call.args[0], names) if kind and call.args else None
                if kind and given:
                    fields = [keyword.value for keyword in call.keywords if keyword.arg == "field"]
                    named = [node.id for node in fields if isinstance(node, ast.Name)]
                    place = names.index(named[0]) if named and named[0] in names else None
                    makers[function.name] = _Maker(kind, names.index(given[0]), place, *given[1:])
        return makers

    def _given(self, text: ast.expr, names: list[str]) -> tuple[str, str, str] | None:
        """Return the parameter that a text is, or holds, and what stands around it."""
        parts = text.values if isinstance(text, ast.JoinedStr) else [text]
        for place, part in enumerate(parts):
            value = part.value if isinstance(part, ast.FormattedValue) else part
            if isinstance(value, ast.Name) and value.id in names and value.id in _TEXTS:
                return value.id, self._parts(parts[:place]), self._parts(parts[place + 1 :])
        return None

    def sentences(self) -> Iterator[Sentence]:
        """Yield what this module can say."""
        advised: dict[int, ast.expr] = {}
        makers = self.makers()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Yield):
                yield from self._problem(node.value)
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Attribute) and node.func.attr == "with_advice" and node.args:
                advised[id(node.func.value)] = node.args[0]
            kind = _error(node)
            maker = makers.get(_name(node)) or (
                _Maker(kind, 1 if _name(node) == "Failure" else 0) if kind else None
            )
            if maker:
                yield from self._of(node, maker, advised)
            yield from self._warning(node)

    def _of(self, call: ast.Call, maker: _Maker, advised: dict[int, ast.expr]) -> Iterator[Sentence]:
        if len(call.args) <= maker.text:
            return
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        fields = keywords.get("field") if maker.field is None else dict(enumerate(call.args)).get(maker.field)
        field = next(self.texts(fields), "")
        advice = next(self.texts(advised.get(id(call), keywords.get("advice"))), "")
        for text in self.texts(call.args[maker.text]):
            whole = f"{maker.before}{text}{maker.after}"
            yield Sentence(_plain(whole), maker.kind, _plain(field), _plain(advice))

    def _problem(self, value: ast.expr | None) -> Iterator[Sentence]:
        """Yield what a check of several fields says: a field and a message."""
        if not self.name.startswith("connection") or not isinstance(value, ast.Tuple) or len(value.elts) != 2:
            return
        field = next(self.texts(value.elts[0]), "")
        for text in self.texts(value.elts[1]):
            yield Sentence(_plain(text), "ConfigurationError", _plain(field))

    def _warning(self, call: ast.Call) -> Iterator[Sentence]:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "warning" and call.args:
            for text in self.texts(call.args[0]):
                yield Sentence(_plain(re.sub(r"%[.0-9]*[sdrfg]", GAP, text)), "warning")


def _name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _error(call: ast.Call) -> str | None:
    """Return which error a call makes."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name in _OF_VALUES:
        return "ConfigurationError"
    if name == "Failure":
        return "TransportError"
    return name if name in _ERRORS else None


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the constants of a module, and what they are."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _imports(tree: ast.Module) -> Iterator[tuple[Path, set[str]]]:
    """Yield the modules of this package that a module imports at its beginning, and what of each."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
            path = PACKAGE.parent.joinpath(*str(node.module).split("."))
            yield (
                path / "__init__.py" if path.is_dir() else path.with_suffix(".py"),
                {name.name for name in node.names},
            )


@cache
def _own_makers(path: Path) -> tuple[dict[str, _Maker], set[str]]:
    """Return what a module defines: makers, and the names of classes, of which some are methods."""
    module = _Module(path)
    classes = {node.name for node in module.tree.body if isinstance(node, ast.ClassDef)}
    return module.own_makers(), classes


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _values(tree: ast.Module) -> dict[str, str]:
    """Return the texts and numbers that a module knows by name, its own and those it imports from here.

    Read, not imported: some modules need libraries, or an Airflow, that not everybody has.
    """
    known = dict(_assigned(tree))
    for path, names in _imports(tree):
        known |= {name: value for name, value in _assigned(_tree(path)).items() if name in names}
    return {
        name: str(value.value)
        for name, value in known.items()
        if isinstance(value, ast.Constant) and type(value.value) in {str, int}
    }


def _plain(text: str) -> str:
    while GAP + GAP in text:
        text = text.replace(GAP + GAP, GAP)
    return " ".join(text.split())


def sentences() -> list[Sentence]:
    """Return all of them, sorted by what a person reads first."""
    paths = [path for path in PACKAGE.rglob("*.py") if "testing" not in path.parts]
    every = {sentence for path in paths for sentence in _Module(path).sentences()}
    readable = {sentence for sentence in every if len(sentence.text.replace(GAP, "").split()) > 1}
    return sorted(readable, key=lambda sentence: (sentence.text.lstrip(GAP + ' "').casefold(), sentence))
