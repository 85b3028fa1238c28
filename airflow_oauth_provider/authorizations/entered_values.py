"""From the texts that a person enters to the values that Airflow's own form would store."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.parsing import FieldError, parse, parse_claims
from airflow_oauth_provider.exceptions import ConfigurationError

MAX_KEY_FILE = 24 * 1024
"""Bytes of the largest key file: what a connection's field takes, before Base64."""
PAIRS = frozenset({Kind.PAIRS, Kind.SECRET_PAIRS})
"""Kinds with name=value lines."""
_SEVERAL = PAIRS | {Kind.LIST, Kind.PATHS}


def stored_value(entry: Field, texts: Sequence[str]) -> Any:
    """Return a field's value as Airflow's form would store it.

    :param texts: several for fields that take several.
    :raises ConfigurationError: naming the field.
    """
    if entry.kind not in _SEVERAL and len(texts) > 1:
        raise ConfigurationError("is given twice: give it once", field=entry.key)
    if entry.kind is Kind.LIST:
        return [item for text in texts for item in _parsed(entry, text) or ()]
    if entry.kind is Kind.PATHS:
        return [f"{name}={path}" for text in texts for name, path in _parsed(entry, text) or ()]
    if entry.kind is Kind.JSON:
        _parsed(entry, texts[0])
        return texts[0].strip() or None
    if entry.kind not in PAIRS:
        return _parsed(entry, texts[0])
    return pairs_value(entry, [pair for text in texts for pair in _read(parse_claims, text, entry).items()])


def pairs_value(entry: Field, pairs: list[tuple[str, Any]]) -> Any:
    """Return names and values as Airflow's form would store them: as lines, or as an object if they must.

    :raises ConfigurationError: naming the field.
    """
    lines = [f"{name}={content}" for name, content in pairs if _fits_a_line(name, content)]
    if len(lines) < len(pairs):
        return _as_object(entry, pairs)
    return lines if entry.kind is Kind.PAIRS else "\n".join(lines)


def _fits_a_line(name: str, content: Any) -> bool:
    """Whether ``name=content`` is read again as what it was; JSON can say more than lines can."""
    if not isinstance(content, str) or "=" in name:
        return False
    return all(text == text.strip() and len(text.splitlines()) < 2 for text in (name, content))


def _as_object(entry: Field, pairs: list[tuple[str, Any]]) -> Any:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ConfigurationError("has a name twice", field=entry.key)
    return members if entry.kind is Kind.PAIRS else json.dumps(members)


def _parsed(entry: Field, value: str) -> Any:
    return _read(partial(parse, entry), value, entry)


def _read(read: Callable[[str], Any], value: str, entry: Field) -> Any:
    try:
        return read(value)
    except FieldError as error:
        reason = str(error)
    raise ConfigurationError(reason, field=entry.key)  # outside: frames of the error before hold the value


def key_text(data: bytes, field: str) -> str:
    """Return a key file as the field ``private_key`` takes it: PEM and JWK as they are, others as Base64.

    :param field: what an error names.
    :raises ConfigurationError: when it is empty or too large.
    """
    if not data:
        raise ConfigurationError("is empty", field=field)
    if len(data) > MAX_KEY_FILE:
        reason = f"has more than {MAX_KEY_FILE // 1024} KiB: a key has less"
        raise ConfigurationError(reason, field=field)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    # DER may happen to be UTF-8, yet never without control characters.
    if text and all(character.isprintable() or character in "\r\n\t" for character in text):
        return text.strip()
    return base64.b64encode(data).decode()
