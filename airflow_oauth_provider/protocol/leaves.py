"""Walk a frozen settings object down to its leaves.

What a token depends on, and which values are secret, follows from the settings themselves: a field that
somebody adds later enters the key of the token and the list of secrets by itself. A field that shapes no
token has to say so where it is declared, by :data:`NO_KEY`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, NamedTuple

from airflow_oauth_provider.protocol.secret import Secret

NO_KEY: Mapping[str, Any] = {"key": False}
"""Metadata of a field that does not shape a token."""
CREDENTIAL: Mapping[str, Any] = {"credential": True}
"""Metadata of a field by which the authorization server knows the client."""
PRESENTED: Mapping[str, Any] = {"presented": True}
"""Metadata of a field that shapes how the client presents itself: with another value it may be known."""
UNORDERED: Mapping[str, Any] = {"unordered": True}
"""Metadata of a field whose values mean the same in any order."""

Predicate = Callable[[Mapping[str, Any]], bool]


class Leaf(NamedTuple):
    """One value of the settings.

    :param path: names of the fields that lead to it.
    :param metadata: of the field that holds it.
    """

    path: str
    value: Any
    metadata: Mapping[str, Any]


def leaves(settings: Any, *, keep: Predicate = lambda _: True, path: str = "") -> Iterator[Leaf]:
    """Yield each value that differs from its field's default.

    A default is left out, so that a field added in a later version changes no key of those who do not
    use it.

    :param keep: is given a field's metadata; false leaves out the field with all that is below it.
    """
    for own_name, default, metadata in _declared(settings.__class__):
        value = getattr(settings, own_name)
        if value is default or not keep(metadata) or value == default:
            continue
        name = f"{path}.{own_name}" if path else own_name
        if _is_group(value.__class__):
            yield from leaves(value, keep=keep, path=name)
        else:
            yield Leaf(name, value, metadata)


def secrets_in(value: Any) -> Iterator[Secret]:
    """Yield the secrets in a value of the settings, however deep in its tuples."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, tuple | frozenset):
        for item in value:
            yield from secrets_in(item)


def canonical(leaf: Leaf) -> Any:
    """Return the value as JSON, the same for all spellings that mean the same."""
    value = _plain(leaf.value)
    if isinstance(value, list) and (leaf.metadata.get("unordered") or isinstance(leaf.value, frozenset)):
        return sorted(value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, tuple | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, bool | str) or value is None:
        return value
    # An issuer and a token endpoint may have the same address.
    return float(value) if isinstance(value, int | float) else f"{type(value).__name__} {value}"


@cache
def _declared(kind: Any) -> tuple[tuple[str, Any, Mapping[str, Any]], ...]:
    """Return name, default and metadata of each field of a class."""
    return tuple((entry.name, entry.default, entry.metadata) for entry in fields(kind))


@cache
def _is_group(kind: type) -> bool:
    """Whether a value of this class is settings of its own; one that spells itself (a URL) is a leaf."""
    return is_dataclass(kind) and kind.__str__ is object.__str__
