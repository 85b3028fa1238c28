"""A check of answers that needs no Python of the DAG's, so that it can run in the triggerer.

JSON paths are the singular queries of RFC 9535 §2.3.5: names and indices, nothing that finds several
values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError

_STEP = re.compile(r"""\.?([A-Za-z_][\w-]*)|\[(-?[0-9]+)\]|\['([^'\\]*)'\]|\["([^"\\]*)"\]""")
MISSING: Any = object()
"""What a path finds where there is nothing."""


def parse_path(path: str, *, field: str = "json_path") -> tuple[str | int, ...]:
    """Read a JSON path such as ``$.jobs[0].state``; the leading ``$`` may be left out.

    :param field: the argument that an error names.
    :raises ConfigurationError: when it is malformed.
    """
    if not isinstance(path, str):
        raise ConfigurationError("must be text, a JSON path like $.jobs[0].state", field=field)
    rest = path.removeprefix("$")
    steps: list[str | int] = []
    while rest:
        match = _STEP.match(rest)
        if not match:
            raise ConfigurationError(
                f'"{path[:100]}" is no JSON path of names and indices like $.jobs[0].state (RFC 9535 §2.3.5)',
                field=field,
            )
        name, index, *quoted = match.groups()
        steps.append(int(index) if index is not None else name or quoted[0] or quoted[1] or "")
        rest = rest[match.end() :]
    return tuple(steps)


def at_path(document: Any, steps: Sequence[str | int]) -> Any:
    """Return the value at a path; :data:`MISSING` where there is none.

    A name selects from objects only, and an index from arrays only (RFC 9535 §2.3.1.2, §2.3.3.2).
    """
    for step in steps:
        if not isinstance(document, dict if isinstance(step, str) else list):
            return MISSING
        container: Any = document
        try:
            document = container[step]
        except (KeyError, IndexError):
            return MISSING
    return document


def document_of(response: Any) -> Any:
    """Return the JSON of an answer; :data:`MISSING` where its body is something else.

    Not as strict as for the answers of authorization servers: equal names and NaN are the API's affair.

    :raises ResourceError: when there is no telling.
    """
    if getattr(response, "content", b"") is None:
        raise ResourceError("the body of the answer is too large to be looked at")
    try:
        return response.json()
    except ValueError:
        return MISSING
    except RecursionError:
        pass
    raise ResourceError("the JSON of the answer is nested too deeply")


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


def _is_one_of(value: Any, wanted: Any) -> bool:
    return any(_same(value, one) for one in _several(wanted))


@dataclass(frozen=True)
class ResponseCheck:
    """Whether an answer is the one that is waited for.

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

    def __call__(self, response: Any, **_: Any) -> bool:
        """Look at an answer.

        :param response: with ``status_code`` and ``json()``.
        :raises ResourceError: when it holds one of the *failed* values, or there is no telling.
        """
        if self.status is not None and response.status_code not in _several(self.status):
            return False
        if self.json_path is None:
            return True
        value = at_path(document_of(response), self._steps)
        if value is MISSING:
            return False
        if _is_one_of(value, self.failed):
            raise ResourceError(f"the API reports {value!r} at {self.json_path}")
        return bool(value) if self.expected is None else _is_one_of(value, self.expected)
