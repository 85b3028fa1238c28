"""Values as Airflow serializes them in DAGs: taken out of their wrapping, and looked through.

What is read is foreign: another version of Airflow may have written it differently. Whatever has another
shape than is expected is as good as absent, and nothing is looked into deeper than ``DEEPEST``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 32
"""Levels of lists and dicts that are looked into."""


@dataclass(frozen=True)
class Expansion:
    """What something is expanded over.

    :param contents: name → values, one for each combination that is written out.
    :param unknown: others are known only when it runs.
    """

    contents: tuple[dict[str, Any], ...] = ()
    unknown: bool = False

    @classmethod
    def of(cls, value: Any) -> Expansion:
        """Read what Airflow stores as ``expand_input``."""
        if not isinstance(value, dict):
            return cls(unknown=True)
        content = value.get("value")
        inner = decoded(content)
        if value.get("type") == "dict-of-lists":
            return cls((inner,)) if isinstance(inner, dict) else cls(unknown=True)
        items = [decoded(item) for item in inner] if isinstance(inner, list) else []
        dicts = tuple(item for item in items if isinstance(item, dict) and not _is_reference(item))
        return cls(dicts, unknown=len(dicts) < len(items) or not isinstance(inner, list))

    def get(self, key: str) -> list[Any]:
        """Return the values of a name."""
        return [content[key] for content in self.contents if key in content]


def expansions_in(
    group: Any, around: tuple[Expansion, ...], level: int
) -> Iterator[tuple[str, tuple[Expansion, ...]]]:
    """Yield the task ids in a task group, each with what the mapped groups around it are expanded over."""
    if not isinstance(group, dict) or level > DEEPEST:
        return
    if "expand_input" in group:
        around = (Expansion.of(group["expand_input"]), *around)
    children = group.get("children")
    for child in children.values() if isinstance(children, dict) else ():
        kind, content = child if isinstance(child, list) and len(child) == 2 else (None, None)
        if kind == "operator":
            yield str(content), around
        else:
            yield from expansions_in(content, around, level + 1)


def watchers_in(value: Any, level: int) -> Iterator[tuple[str, Any]]:
    """Yield name and keyword arguments of the watchers of all assets in *value*."""
    if level > DEEPEST:
        return
    if isinstance(value, dict):
        for watcher in decoded_list(value.get("watchers")):
            content = decoded(watcher)
            trigger = decoded(content.get("trigger")) if isinstance(content, dict) else None
            if isinstance(trigger, dict):
                yield f"{content.get('name')} of the asset {value.get('name')}", trigger.get("kwargs")
    for item in items_of(value):
        yield from watchers_in(item, level + 1)


def keyword_arguments_in(value: Any, level: int) -> Iterator[Any]:
    """Yield the keyword arguments of all callbacks and triggers in *value*."""
    if level > DEEPEST:
        return
    if isinstance(value, dict):
        yield from (value[name] for name in ("kwargs", "trigger_kwargs") if name in value)
    for item in items_of(value):
        yield from keyword_arguments_in(item, level + 1)


def texts_in(value: Any, level: int) -> Iterator[str | None]:
    """Yield the texts in lists and dicts; ``None`` for what only the run will tell."""
    if isinstance(value, str):
        yield value
    elif isinstance(decoded(value), str):
        yield decoded(value)
    elif level > DEEPEST or _is_reference(value):
        yield None
    else:
        for item in items_of(decoded(value)):
            yield from texts_in(item, level + 1)


def items_of(value: Any) -> Iterator[Any]:
    """Yield what is in a list or dict."""
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value


def _is_reference(value: Any) -> bool:
    """Whether a value stands for what another task returns."""
    return isinstance(value, dict) and value.get("__type") in {"xcomref", "xcom_ref"}


def decoded(value: Any) -> Any:
    """Take a value out of Airflow's wrapping."""
    if isinstance(value, dict) and "__var" in value and not _is_reference(value):
        return value["__var"]
    return value


def decoded_list(value: Any) -> list[Any]:
    """Return a list; an empty one for anything else."""
    content = decoded(value)
    return list(content) if isinstance(content, list | tuple) else []
