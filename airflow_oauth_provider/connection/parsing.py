"""From the values of an extra to Python values, by the kind of field.

Connections come from a form, an API, a URI or JSON in an environment variable: numbers and
booleans may be strings, lists may be text. ``None``, ``""`` and absence mean the same. Messages
never repeat a value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.pem import plain_pem
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_value

_HUGE = 1e18
"""No field takes a number this large, and Python cannot turn every larger one into a float."""
_BROKEN: Any = object()
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?\Z", re.ASCII)
_DATE = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_PRIVATE_KEY = "PRIVATE KEY-----"


def holds_private_key(value: Any) -> bool:
    """Whether a private key in PEM form stands somewhere in a value of the extra."""
    pending = [value]
    while pending:  # not by recursion: the value may be nested deeper than Python calls
        item = pending.pop()
        if isinstance(item, str) and _PRIVATE_KEY in item:
            return True
        pending += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return False


class FieldError(ValueError):
    """A value that its field does not accept."""


def parse(entry: Field, value: Any) -> Any:
    """Parse the value of one extra field.

    :return: ``None`` for an empty value, else what the field's kind calls for.
    :raises FieldError: saying what is accepted instead.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if value in ([], {}):
        return None
    parsed = _PARSERS[entry.kind](entry, value)
    require_characters(parsed)
    return parsed


def require_characters(value: Any) -> None:
    """Refuse halves of characters: JSON can carry them, and no request, page or database can.

    :param value: a text, or what holds texts.
    :raises FieldError: when there is one in it.
    """
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise FieldError("contains half a character (a lone surrogate): enter the text again")
    elif isinstance(value, Mapping):
        require_characters(tuple(value.items()))
    elif isinstance(value, list | tuple):
        for item in value:
            require_characters(item)


def _text(entry: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise FieldError("must be text")
    return plain_pem(value)


def _line(entry: Field, value: Any) -> str:
    text = _text(entry, value).strip()
    if _CONTROL.search(text):
        raise FieldError("contains control characters")
    return text


def _words(entry: Field, value: Any) -> str:
    """Accept a list too: servers and their documentation show scopes so."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    return _line(entry, value)


def _boolean(entry: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise FieldError("must be true or false")


def number(value: Any) -> float:
    """Parse a finite number from a number or its decimal text.

    :raises FieldError: for anything else, booleans included.
    """
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_HUGE < value < _HUGE:
        raise FieldError("must be a number")
    return float(value)


def _seconds(entry: Field, value: Any) -> float:
    try:
        seconds = number(value)
    except FieldError:
        raise FieldError("must be a number of seconds, without a unit") from None
    low, open_below = entry.above or entry.minimum or 0, entry.above is not None
    if seconds < low or (open_below and seconds == low) or seconds > (entry.maximum or math.inf):
        least = "more than" if open_below else "at least"
        raise FieldError(f"must be {least} {low:g} and at most {entry.maximum:g} seconds")
    return seconds


def _integer(entry: Field, value: Any) -> int:
    whole = number(value)
    low, high = entry.minimum or 0, entry.maximum or math.inf
    if whole != int(whole) or not low <= whole <= high:
        raise FieldError(f"must be a whole number from {low:g} to {high:g}")
    return int(whole)


def _choice(entry: Field, value: Any) -> str:
    if not isinstance(value, str) or value not in entry.choices:
        raise FieldError(f"must be one of: {', '.join(entry.choices)} (lower and upper case matter)")
    return value


def _list(entry: Field, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = _json_or(value, list, lambda text: re.split(r"[\s,]+", text.strip()))
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, str | int) and not isinstance(item, bool) for item in value
    ):
        raise FieldError("must be a list of texts, one a line")
    return tuple(text for item in value if (text := str(item).strip()))


def _pairs(entry: Field, value: Any) -> tuple[tuple[str, Any], ...]:
    """Accept lines, a list of lines, or an object; names must be unique."""
    if isinstance(value, str):
        value = _json_or(value, dict | list, lambda text: text.splitlines())
    if isinstance(value, Mapping):
        pairs = [(str(name).strip(), content) for name, content in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [_pair(index, line) for index, line in enumerate(value, 1) if not _blank(line)]
    else:
        raise FieldError("must be name=value, one a line")
    names = [name for name, _ in pairs]
    if "" in names or len(set(names)) != len(names):
        raise FieldError("must have a name before each = and no name twice")
    return tuple(pairs)


def _text_pairs(entry: Field, value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name, _content(content)) for name, content in _pairs(entry, value))


def _paths(entry: Field, value: Any) -> tuple[tuple[str, str], ...]:
    """Accept lines only: in an object Airflow would hide paths behind names such as access_token."""
    if isinstance(value, Mapping) or (isinstance(value, str) and value.lstrip()[:1] == "{"):
        raise FieldError("must be name=JSON path, one a line: Airflow would mask the values of an object")
    return _text_pairs(entry, value)


def _content(value: Any) -> str:
    """Write one value of an object as a line would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        number(value)
        return str(value)
    if not isinstance(value, str):
        raise FieldError("must have texts as values")
    return value


def _blank(line: Any) -> bool:
    return isinstance(line, str) and not line.strip()


def _pair(index: int, line: Any) -> tuple[str, str]:
    name, separator, content = line.partition("=") if isinstance(line, str) else ("", "", "")
    if not separator:
        raise FieldError(f"must be name=value, one a line (line {index} is not)")
    return name.strip(), content.strip()


def _json_or(text: str, kind: Any, otherwise: Callable[[str], Any]) -> Any:
    """Read JSON where the text is meant as JSON: URIs and environment variables carry it so."""
    if text.lstrip()[:1] not in {"[", "{"}:
        return otherwise(text)
    try:
        value = parse_value(text)
    except JsonError as error:
        raise FieldError(f"looks like JSON, but it {error}") from error
    if not isinstance(value, kind):
        raise FieldError("is JSON of the wrong kind")
    return value


def parse_extra(extra: Any) -> dict[str, Any]:
    """Parse a connection's extra.

    :raises FieldError: when it is no JSON object.
    """
    if extra is None or (isinstance(extra, str) and not extra.strip()):
        return {}
    value = _BROKEN
    with suppress(ValueError, RecursionError):  # which hold the text: ours is raised outside of this block
        value = json.loads(extra) if isinstance(extra, str) else extra
    if value is _BROKEN:
        raise FieldError("is not valid JSON")
    if not isinstance(value, dict):
        raise FieldError("must be a JSON object: {…}")
    return value


def _json(entry: Field, value: Any) -> Any:
    """Accept JSON as text, as the form has it, or as it stands in the extra."""
    if not isinstance(value, str):
        return value
    try:
        return parse_value(value)
    except JsonError as error:
        reason = f"must be JSON, but it {error}"
    raise FieldError(reason)


def _date(entry: Field, value: Any) -> date:
    text = value.strip() if isinstance(value, str) else ""
    with suppress(ValueError):  # the 30th of February
        if _DATE.match(text):
            return date.fromisoformat(text)
    raise FieldError("must be a date such as 2027-03-31 (year, month, day)")


_PARSERS: dict[Kind, Callable[[Field, Any], Any]] = {
    Kind.STRING: _line,
    Kind.WORDS: _words,
    Kind.TEXT: _text,
    Kind.SECRET: _text,
    Kind.SECRET_TEXT: _text,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.SECONDS: _seconds,
    Kind.ENUM: _choice,
    Kind.PAIRS: _text_pairs,
    Kind.SECRET_PAIRS: _text_pairs,
    Kind.PATHS: _paths,
    Kind.LIST: _list,
    Kind.JSON: _json,
    Kind.DATE: _date,
}


def parse_claims(value: Any) -> dict[str, Any]:
    """Parse additional JWT claims; unlike parameters, claims may be any JSON value.

    :raises FieldError: when they are neither lines nor an object, or no JWT can carry them.
    """
    if value is None or _blank(value) or value in ([], {}):
        return {}
    claims = dict(_pairs(Field("jwt_claims", "", "", ""), value))
    _require_json(claims)
    require_characters(claims)
    return claims


def _require_json(claims: dict[str, Any]) -> None:
    """Refuse what RFC 8259 does not know: Airflow reads an extra less strictly than a server its JWT."""
    try:
        parse_value(json.dumps(claims))
    except JsonError as error:
        reason = f"cannot be claims of a JWT: the JSON {error}"
    except (ValueError, RecursionError, TypeError):
        reason = "cannot be claims of a JWT: they are nested too deeply, or a number is too long"
    else:
        return
    raise FieldError(reason)
