"""Errors as plain JSON: the one way in which an error leaves a process and comes back.

Events of triggers, entries of the store and reports of checks hold errors as records. A record may come
from another version of this package, or from anybody who can write to a database or a store. So a record
names a class of a fixed list (no name that comes from data is imported), each value has the type that
the class's constructor declares, numbers are finite and not negative, and texts are cut and cleaned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
    UnexpectedError,
)
from airflow_oauth_provider.protocol.texts import plain

MAX_TEXT = 8 * 1024
"""Characters of the longest text that a record brings back."""
MAX_NUMBER = 10**9
"""The largest number that a record brings back: of seconds, 31 years."""
ErrorClass = TypeVar("ErrorClass", bound=type[OAuthError])
_classes: dict[str, type[OAuthError]] = {}
_fields_of: dict[type[OAuthError], dict[str, tuple[type, ...]]] = {}


class RecordError(ValueError):
    """A record holds no error that this version knows; the message repeats no value of it."""


def recorded(kind: ErrorClass) -> ErrorClass:
    """Put a class on the list of those that records may name; for use as a decorator."""
    _classes[kind.__name__] = kind
    return kind


for _kind in (
    OAuthError,
    ConfigurationError,
    ConnectionNotFoundError,
    TransportError,
    TokenResponseError,
    TokenEndpointError,
    InvalidClientError,
    ResourceError,
    InsufficientScopeError,
    UnexpectedError,
):
    recorded(_kind)


def to_dict(error: OAuthError) -> dict[str, Any]:
    """Return an error as JSON can hold it; of a class that is not on the list, as its nearest ancestor."""
    kind = next(base for base in type(error).__mro__ if _classes.get(base.__name__) is base)
    values = vars(error)
    return {"type": kind.__name__, **{name: values[name] for name in _fields(kind) if name in values}}


def from_dict(record: object) -> OAuthError:
    """Return the error of a record. Names that this version does not know are passed over.

    :raises RecordError: when the record does not hold an error.
    """
    if not isinstance(record, Mapping):
        raise RecordError("an error must be a JSON object")
    kind = _classes.get(str(record.get("type")))
    if kind is None:
        raise RecordError("type must name an error of this package")
    if "message" not in record:
        raise RecordError("message is missing")
    fields = _fields(kind)
    values = {name: _checked(name, record[name], types) for name, types in fields.items() if name in record}
    error = kind(values["message"])
    vars(error).update(values)
    return error


def _fields(kind: type[OAuthError]) -> dict[str, tuple[type, ...]]:
    """Return the attributes of an error and their types, as the constructors of its class declare them."""
    if kind in _fields_of:
        return _fields_of[kind]
    fields: dict[str, tuple[type, ...]] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, OAuthError) and "__init__" in vars(base):
            hints = get_type_hints(vars(base)["__init__"])
            fields |= {name: get_args(hint) or (hint,) for name, hint in hints.items() if name != "return"}
    _fields_of[kind] = fields
    return fields


def _checked(name: str, value: Any, types: tuple[type, ...]) -> Any:
    if value is None and type(None) in types:
        return None
    if isinstance(value, str) and str in types:
        # Half a surrogate pair, which JSON can hold, could not be written anywhere.
        return plain(value[:MAX_TEXT].encode("utf-8", "replace").decode())
    if isinstance(value, bool) and bool in types:
        return value
    is_whole = int in types
    if (is_whole or float in types) and _is_number(value) and 0 <= value <= MAX_NUMBER:  # no NaN
        if not is_whole:
            return float(value)
        if value == int(value):
            return int(value)
    raise RecordError(f"{name} has a type or size that no error has")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
