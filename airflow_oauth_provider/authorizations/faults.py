"""What is wrong with what a person has entered, gathered while it is read: all is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_oauth_provider.exceptions import ConfigurationError


class Faults:
    """What is wrong so far.

    ``by_field`` has it by field or option, "" for what concerns none; ``unknown`` the fields of which nobody
    knows what is to stand in them, since what was entered for them cannot be read.
    """

    def __init__(self) -> None:
        self.by_field: dict[str, str] = {}
        self.unknown: set[str] = set()

    def add(self, error: ConfigurationError, *unknown: str) -> None:
        """Add an error, behind what is wrong with the same field already."""
        field = error.field or ""
        known = self.by_field.get(field)
        if known is None:
            self.by_field[field] = error.message
        elif error.message not in known:
            self.by_field[field] = f"{known}; {error.message}"
        self.unknown.update(unknown)

    @contextmanager
    def gathered(self, *unknown: str) -> Iterator[None]:
        """Go on behind this block when it fails.

        :param unknown: fields that it would have filled in.
        """
        try:
            yield
        except ConfigurationError as error:
            self.add(error, *unknown)

    def concern(self, field: str) -> bool:
        """Whether nobody knows what is to stand in a field."""
        return field in self.by_field or field in self.unknown
