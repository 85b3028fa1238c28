"""What a field of the connection is: how it is shown, parsed and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Kind(Enum):
    """How a field is shown and parsed."""

    STRING = "text"
    WORDS = "space-delimited words"
    TEXT = "several lines of text"
    SECRET = "secret text"
    SECRET_TEXT = "secret, several lines"
    BOOLEAN = "true or false"
    INTEGER = "whole number"
    SECONDS = "seconds"
    ENUM = "one of"
    PAIRS = "name=value lines"
    SECRET_PAIRS = "secret name=value lines"
    PATHS = "name=JSON path lines"
    LIST = "list, one a line"
    JSON = "JSON"
    DATE = "date (YYYY-MM-DD)"


@dataclass(frozen=True)
class Field:
    """One extra field.

    :param key: its name in the connection's extra.
    :param description: help text; says what to enter, with an example.
    :param choices: value → label, for ``Kind.ENUM``.
    :param above: exclusive lower bound; ``minimum`` and ``maximum`` are inclusive.
    """

    key: str
    section: str
    label: str
    description: str
    kind: Kind = Kind.STRING
    default: str | bool | int | None = None
    choices: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None

    @property
    def secret(self) -> bool:
        """Whether its value is a secret."""
        return self.kind in {Kind.SECRET, Kind.SECRET_TEXT, Kind.SECRET_PAIRS}


@dataclass(frozen=True)
class StandardField:
    """One of the fields every Airflow connection has, under the name it has here."""

    key: str
    label: str
    description: str
    placeholder: str = ""
