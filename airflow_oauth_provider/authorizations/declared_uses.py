"""Which tasks, watchers and callbacks of a serialized DAG name a connection.

Rules:

- A task names it in a field that Airflow has serialized and whose name ends in ``conn_id`` or
  ``conn_ids``, or in an argument of that name of a Python task: as a text, in a list or in a dict.
  Nothing else counts: ``conn_id`` in the body of a request is whatever the API takes it for.
- ``{{ conn.orders_api.host }}`` in any template reads the connection, too.
- Watchers of assets and callbacks of deadlines name it in their keyword arguments. Other callbacks, and
  fields that are no templates, Airflow does not serialize.
- What a template or another task yields is known only when it runs. That is said of fields in which a
  connection of ours stands, and only where the text around the template fits.

What stands in a serialized DAG is foreign: whatever has another shape names no connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_oauth_provider.authorizations.serialized_values import (
    DEEPEST,
    Expansion,
    decoded,
    decoded_list,
    expansions_in,
    items_of,
    keyword_arguments_in,
    texts_in,
    watchers_in,
)
from airflow_oauth_provider.connection.identifier import DEFAULT_CONN_ID, ids_in_text

OURS = frozenset({"oauth2_conn_id", "oauth2_conn_ids", "http_conn_id"})
"""Fields of which a template is worth a word: a connection of ours stands in them."""
LONGEST = 4096
"""Characters of a template that is compared with a name; Airflow cuts longer ones itself."""
_DEFAULTS = {"oauth2_conn_id": DEFAULT_CONN_ID, "http_conn_id": "http_default"}
_NAMES_CONNECTIONS = re.compile(r"(^|_)conn_ids?$")
_ARGUMENTS = ("op_kwargs", "templates_dict")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_MAPPED = "MappedArgument("
_MAPPED_KEY = re.compile(r"_key='(\w+)'\)$")
_CUT = "Truncated. "


@dataclass(frozen=True)
class DeclaredUse:
    """One place where a DAG names a connection.

    :param task_id: ``None`` for what belongs to the DAG as a whole: a watcher, the callback of a deadline.
    :param place: the field, or what else names it.
    :param certain: false where that is known only when it runs; *text* is then the template.
    """

    dag_id: str
    task_id: str | None
    place: str
    certain: bool = True
    text: str | None = None


def declared_uses(dag: Any, conn_id: str, callbacks: Any = ()) -> list[DeclaredUse]:
    """Return where a serialized DAG names a connection; each task with its most certain place only.

    :param dag: what Airflow stores under ``dag``.
    :param callbacks: those of its deadlines, where Airflow stores them elsewhere.
    """
    if not isinstance(dag, dict):
        return []
    search = _Search(dag, conn_id)
    uses: dict[tuple[str | None, str], DeclaredUse] = {}
    for use in (*search.tasks(), *search.others([*decoded_list(dag.get("deadline")), callbacks])):
        key = (use.task_id, use.place if use.task_id is None else "")
        before = uses.get(key)
        if before is None or use.certain > before.certain:
            uses[key] = use
    return list(uses.values())


class _Search:
    def __init__(self, dag: dict[str, Any], conn_id: str) -> None:
        self._dag = dag
        self._dag_id = str(dag.get("dag_id"))
        self._conn_id = conn_id
        name = re.escape(conn_id)
        self._in_template = re.compile(
            rf"\bconn\.{name}(?![\w-])|\bconn\[\s*['\"]{name}['\"]|\bconn\.get\(\s*['\"]{name}['\"]"
        )

    def tasks(self) -> Iterator[DeclaredUse]:
        for encoded in decoded_list(self._dag.get("tasks")):
            task = decoded(encoded)
            if isinstance(task, dict) and isinstance(task.get("task_id"), str):
                yield from self._task(task)

    def others(self, callbacks: Any) -> Iterator[DeclaredUse]:
        """Yield watchers of the assets that the DAG waits for, and callbacks of its deadlines."""
        for watcher, keywords in watchers_in(self._dag.get("timetable"), 0):
            yield from self._keywords(None, f"watcher {watcher}", keywords)
        for keywords in keyword_arguments_in(callbacks, 0):
            yield from self._keywords(None, "callback of a deadline", keywords)

    def _task(self, task: dict[str, Any]) -> Iterator[DeclaredUse]:
        task_id = task["task_id"]
        names = [name for name in decoded_list(task.get("template_fields")) if isinstance(name, str)]
        fields = _Fields(task, names)
        for name, value in fields.all():
            if _NAMES_CONNECTIONS.search(name):
                yield from self._named(task_id, name, value)
            elif name in _ARGUMENTS:
                yield from self._keywords(task_id, name, value)
            if name in names and self._is_read_by(value, 0):
                yield DeclaredUse(self._dag_id, task_id, f"template of {name}")
        for name in fields.unknown:
            yield self._unknown(task_id, name, "")
        for name in ("outlets", "inlets"):
            for watcher, keywords in watchers_in(task.get(name), 0):
                yield from self._keywords(task_id, f"watcher {watcher}", keywords)
        for keywords in keyword_arguments_in(task.get("start_trigger_args"), 0):
            yield from self._keywords(task_id, "trigger", keywords)

    def _keywords(self, task_id: str | None, place: str, keywords: Any) -> Iterator[DeclaredUse]:
        content = decoded(keywords)
        for name, value in content.items() if isinstance(content, dict) else ():
            if isinstance(name, str) and _NAMES_CONNECTIONS.search(name):
                for use in self._named(task_id, name, value):
                    where = f"{place}.{name}" if place in _ARGUMENTS else place
                    yield DeclaredUse(use.dag_id, use.task_id, where, use.certain, use.text)

    def _named(self, task_id: str | None, field: str, value: Any) -> Iterator[DeclaredUse]:
        """Yield a use where a value of such a field is the connection, or may become it."""
        for text in texts_in(value, 0):
            certain = None if text is None else self._matches(task_id, field, text)
            if certain:
                yield DeclaredUse(self._dag_id, task_id, field)
                return
            if certain is None and field in OURS:
                yield self._unknown(task_id, field, text or "")

    def _unknown(self, task_id: str | None, field: str, text: str) -> DeclaredUse:
        return DeclaredUse(self._dag_id, task_id, field, certain=False, text=text or None)

    def _matches(self, task_id: str | None, field: str, text: str) -> bool | None:
        """Return whether a text is the connection's id; ``None`` where only its run will tell."""
        if text == self._conn_id or (field.endswith("s") and self._conn_id in ids_in_text(text)):
            return True
        if text.startswith(_MAPPED):
            key = _MAPPED_KEY.search(text[-LONGEST:])
            return self._mapped(task_id, field, key[1]) if key else None
        if text.startswith(_CUT) or "{%" in text or len(text) > LONGEST:
            return None
        if "{{" in text:
            fits = field.endswith("s") or _fits(_EXPRESSION.split(text), self._conn_id)
            return None if fits else False
        return False

    def _mapped(self, task_id: str | None, field: str, key: str) -> bool | None:
        """Look an argument of a mapped task group up in what the group is expanded over."""
        unknown = False
        for expansion in self._expansions.get(task_id or "", ()):
            for text in texts_in(expansion.get(key), 0):
                if text is not None and text.startswith(_MAPPED):
                    unknown = True
                    continue
                certain = None if text is None else self._matches(task_id, field, text)
                if certain:
                    return True
                unknown = unknown or certain is None
            unknown = unknown or expansion.unknown
        return None if unknown or task_id not in self._expansions else False

    @cached_property
    def _expansions(self) -> dict[str, tuple[Expansion, ...]]:
        """Task id → what the mapped groups around it are expanded over, the innermost first."""
        return dict(expansions_in(self._dag.get("task_group"), (), 0))

    def _is_read_by(self, value: Any, level: int) -> bool:
        """Whether a template reads the connection."""
        if isinstance(value, str):
            return "{" in value and bool(self._in_template.search(value))
        return level < DEEPEST and any(self._is_read_by(item, level + 1) for item in items_of(value))


def _fits(literals: list[str], conn_id: str) -> bool:
    """Whether an id has these texts in this order, the first at its start and the last at its end."""
    first, *between, last = literals
    rest = conn_id.removeprefix(first)
    if not conn_id.startswith(first) or not rest.endswith(last):
        return False
    rest = rest[: len(rest) - len(last)]
    for text in between:
        _, match, rest = rest.partition(text) if text else ("", True, rest)
        if not match:
            return False
    return True


class _Fields:
    """What a task was given, as far as it is serialized.

    :param names: its template fields.
    """

    def __init__(self, task: dict[str, Any], names: list[str]) -> None:
        self._task, self._names = task, names
        self._mapped = bool(task.get("_is_mapped"))
        self.unknown: list[str] = []
        self._given = list(self._mapped_fields()) if self._mapped else list(task.items())

    def all(self) -> Iterator[tuple[str, Any]]:
        """Yield name and value of each."""
        yield from self._given
        if self._mapped and not any(_NAMES_CONNECTIONS.search(name) for name, _ in self._given):
            # An operator of ours takes both names, and serializes the first.
            for name in (name for name in self._names if name in _DEFAULTS and not self.unknown):
                yield name, _DEFAULTS[name]

    def _mapped_fields(self) -> Iterator[tuple[str, Any]]:
        partial = decoded(self._task.get("partial_kwargs"))
        names = partial if isinstance(partial, dict) else {}
        yield from names.items()
        attribute = self._task.get("_expand_input_attr")
        expansion = Expansion.of(self._task.get(attribute if isinstance(attribute, str) else ""))
        if attribute == "op_kwargs_expand_input":
            yield from (("op_kwargs", content) for content in expansion.contents)
            return
        for content in expansion.contents:
            yield from content.items()
        if expansion.unknown:
            self.unknown += [name for name in self._names if name in OURS and name not in names]
