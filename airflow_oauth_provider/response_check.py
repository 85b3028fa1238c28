"""A check of responses that needs no Python of the DAG's, so that it can run in the triggerer.

JSON paths are the singular queries of RFC 9535 §2.3.5.1: names and indices, nothing that finds several
values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.protocol import json_path
from airflow_oauth_provider.protocol.json_path import MISSING, at_path

UNREAD: Any = object()
"""The document of a response whose body makes no difference."""
MAX_NAMES = 30
"""Names of an object that a message lists at the most."""
MAX_TEXT = 64 * 1024
"""Characters of a text in a message, before it is redacted: longer than any secret, and cut again then."""


def parse_path(path: str, *, field: str = "json_path") -> tuple[str | int, ...]:
    """Read a JSON path such as ``$.jobs[0].state``; the leading ``$`` may be left out.

    :param field: the argument that an error names.
    :raises ConfigurationError: when it is malformed.
    """
    if not isinstance(path, str):
        raise ConfigurationError("must be text, a JSON path like $.jobs[0].state", field=field)
    with suppress(json_path.PathError):
        return json_path.parse_path(path)
    raise ConfigurationError(
        f'"{path[:100]}" is no JSON path of names and indices like $.jobs[0].state (RFC 9535 §2.3.5.1)',
        field=field,
    )


def document_of(response: Any) -> Any:
    """Return the JSON of a response; :data:`MISSING` where its body is something else.

    Not as strict as for the responses of authorization servers: equal names and NaN are the API's affair.

    :raises ResourceError: when it cannot be decided.
    """
    if getattr(response, "content", b"") is None:
        raise ResourceError("the body of the response is too large to be checked")
    try:
        return response.json()
    except ValueError:
        return MISSING
    except RecursionError:
        pass
    raise ResourceError("the JSON of the response is nested too deeply")


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple | set | frozenset | range) else (value,)


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON does, where ``true`` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    return bool(one == other)


def _are_statuses(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(one, int) and not isinstance(one, bool) for one in values)


def _is_one_of(value: Any, choices: Any) -> bool:
    return any(_same(value, one) for one in _several(choices))


@dataclass(frozen=True)
class ResponseCheck:
    """Whether a response is the one that is waited for.

    Works wherever ``response_check`` is taken. The arguments that are given must all hold.

    :param status: HTTP status, or several. A status of 400 and above is an error before it gets here,
        unless ``extra_options={"check_response": False}``.
    :param json_path: where to look in the JSON of the body.
    :param expected: the value there (``true`` is not 1), or several of which one is enough; left out,
        any will do but ``null``, ``false``, 0 and what is empty.
    :param failed: values there with which waiting is over: the task fails.
    """

    status: int | Sequence[int] | None = None
    json_path: str | None = None
    expected: Any = None
    failed: Any = ()
    _steps: tuple[str | int, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the arguments.

        :raises ConfigurationError: when they cannot be meant.
        """
        if self.status is not None and not _are_statuses(_several(self.status)):
            raise ConfigurationError("must be a number such as 200, or several", field="status")
        if self.json_path is None:
            if self.expected is not None or _several(self.failed):
                raise ConfigurationError("expected and failed need a json_path", field="json_path")
            if self.status is None:
                raise ConfigurationError("give a status, a json_path or both", field="response_check")
            return
        object.__setattr__(self, "_steps", parse_path(self.json_path))

    @classmethod
    def of(cls, value: Any) -> ResponseCheck | None:
        """Return the check that was given as such or by its arguments; ``None`` for a callable."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            return None
        unknown = sorted(set(value) - {"status", "json_path", "expected", "failed"})
        if unknown:
            raise ConfigurationError(
                f"unknown arguments of a response check: {', '.join(map(str, unknown))}",
                field="response_check",
            )
        return cls(**value)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments, as JSON can hold them."""
        return {
            "status": list(map(int, _several(self.status))) if self.status is not None else None,
            "json_path": self.json_path,
            "expected": list(_several(self.expected)) if self.expected is not None else None,
            "failed": list(_several(self.failed)),
        }

    def inspect(self, response: Any) -> Inspection:
        """Inspect a response, and say what it has.

        :param response: with ``status_code`` and ``json()``.
        :raises ResourceError: when it cannot be decided.
        """
        status = response.status_code
        if self.json_path is None or (self.status is not None and status not in _several(self.status)):
            return Inspection(self, status, UNREAD)
        return Inspection(self, status, document_of(response))

    def __call__(self, response: Any, **_: Any) -> bool:
        """Check a response.

        :param response: with ``status_code`` and ``json()``.
        :raises ResourceError: when it holds one of the *failed* values, or when it cannot be decided.
        """
        return self.inspect(response).holds

    def __str__(self) -> str:
        """Return what is waited for, for people."""
        status = f"status {' or '.join(map(str, _several(self.status)))}" if self.status is not None else ""
        if self.json_path is None:
            return status
        path, expected = self.json_path, self.expected
        value = f"{path} is set" if expected is None else f"{path} = {_choice_text(expected)}"
        return f"{status}, {value}" if status else value


@dataclass(frozen=True)
class Inspection:
    """What a check has seen in a response.

    :param status: HTTP status.
    :param document: the JSON of the body; :data:`MISSING` where that is something else, and
        :data:`UNREAD` where it makes no difference.
    """

    check: ResponseCheck
    status: int
    document: Any = field(repr=False)

    @property
    def value(self) -> Any:
        """What stands at the path; :data:`MISSING` for nothing."""
        return MISSING if self.document is UNREAD else at_path(self.document, self.check._steps)  # noqa: SLF001

    @property
    def holds(self) -> bool:
        """Whether the response is the one that is waited for.

        :raises ResourceError: when it holds one of the *failed* values.
        """
        check = self.check
        if check.json_path is None:
            return check.status is None or self.status in _several(check.status)
        value = self.value
        if value is MISSING:
            return False
        if self.has_failed:  # a value that the author of the check has written, too
            raise ResourceError(self.mismatch())
        return bool(value) if check.expected is None else _is_one_of(value, check.expected)

    @property
    def has_failed(self) -> bool:
        """Whether there is one of the *failed* values."""
        return self.value is not MISSING and _is_one_of(self.value, self.check.failed)

    def mismatch(self) -> str:
        """Say what a response that is not the expected one has instead; may repeat something confidential."""
        check = self.check
        if self.document is UNREAD:
            return f"the status is {self.status}, expected {_choice_text(check.status)}"
        if self.value is MISSING:
            return f"{self.names_there()}; expected {check}"
        expected = "a value" if check.expected is None else _choice_text(check.expected)
        means = ", which means failed;" if self.has_failed else ","
        return f"{check.json_path} is {_value_text(self.value)}{means} expected {expected}"

    @property
    def lacks_path(self) -> bool:
        """Whether there is nothing at the path."""
        return self.document is not UNREAD and self.value is MISSING

    def names_there(self) -> str:
        """Say what there is instead of a path that there is not; may repeat something confidential."""
        return names_beside(self.document, self.check.json_path or "$")

    def __str__(self) -> str:
        """Return the status, and the value at the path; may repeat something confidential."""
        if self.document is UNREAD:
            return str(self.status)
        path, value = self.check.json_path, self.value
        content = f"no {path}" if value is MISSING else f"{path} = {_value_text(value)}"
        return f"{self.status}, {content}"


def names_beside(document: Any, path: str) -> str:
    """Say what a document has instead of a path that it does not have; may repeat something confidential.

    :param document: JSON; :data:`MISSING` for a body that is something else.
    """
    if document is MISSING:
        return f"the response has no {path}: its body is no JSON"
    steps = parse_path(path)
    depth = next(depth for depth in range(len(steps)) if at_path(document, steps[: depth + 1]) is MISSING)
    there = at_path(document, steps[:depth])
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps[:depth])
    if not isinstance(there, dict):
        return f"the response has no {path}: ${where} is {_kind(there)}"
    names = ", ".join(list(there)[:MAX_NAMES])[:MAX_TEXT]
    content = f"has {names}{', …' if len(there) > MAX_NAMES else ''}" if there else "is empty"
    return f"the response has no {path}: ${where} {content}"


def _choice_text(choices: Any) -> str:
    return " or ".join(map(_value_text, _several(choices)))


def _value_text(value: Any) -> str:
    """Return a JSON value as text; of one that holds others only how many."""
    if isinstance(value, dict | list | tuple):
        return _kind(value)
    return json.dumps(value[:MAX_TEXT] if isinstance(value, str) else value, ensure_ascii=False, default=str)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object of {len(value)} names"
    if isinstance(value, list | tuple):
        return f"an array of {len(value)} items"
    if isinstance(value, str):
        return "a text"
    return "null" if value is None else "true or false" if isinstance(value, bool) else "a number"
