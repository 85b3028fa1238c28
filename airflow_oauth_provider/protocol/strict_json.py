"""JSON as RFC 8259 means it, with nothing guessed.

Python's ``json`` keeps the last of two equal names, reads NaN, Infinity and UTF-16, and turns
1e400 into infinity; two programs could so read two different tokens from one response.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

MAX_DEPTH = 32


class JsonError(ValueError):
    """The text is not the JSON that was expected; the message lacks its subject, and never repeats it."""


def parse_object(data: bytes) -> dict[str, Any]:
    """Parse one JSON object.

    :param data: UTF-8; a byte order mark is ignored (RFC 8259 §8.1).
    :raises JsonError: for anything else.
    """
    # The errors of Python's own parsers hold the text: ours are raised outside of their blocks.
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise JsonError("is not UTF-8")
    value = parse_value(text)
    if not isinstance(value, dict):
        raise JsonError("is not a JSON object")
    return value


def parse_value(text: str) -> Any:
    """Parse any JSON value.

    :raises JsonError: for malformed text, equal names, numbers out of range or deep nesting.
    """
    value, reason = None, None
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
    except JsonError:
        raise
    except RecursionError:
        reason = "is nested too deeply"
    except ValueError:
        reason = "is not valid JSON"
    if reason is not None:
        raise JsonError(reason)
    _check_depth(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JsonError("has the same name twice")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"contains {name}")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise JsonError("has a number out of range")
    return number


def _check_depth(value: Any) -> None:
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = _containers(
            child for item in level for child in (item.values() if isinstance(item, dict) else item)
        )
    if level:
        raise JsonError(f"is nested more than {MAX_DEPTH} levels deep")


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]
