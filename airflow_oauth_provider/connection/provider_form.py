"""The form of the connection, as Airflow 3.2 and later build it from the provider info."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS, HIDDEN_STANDARD_FIELDS, STANDARD_FIELDS

_JSON_TYPES = {
    Kind.BOOLEAN: "boolean",
    Kind.INTEGER: "integer",
    Kind.SECONDS: "number",
    Kind.PAIRS: "array",
    Kind.PATHS: "array",
    Kind.LIST: "array",
}
_FORMATS = {
    Kind.SECRET: "password",
    Kind.SECRET_TEXT: "multiline",
    Kind.SECRET_PAIRS: "multiline",
    Kind.TEXT: "multiline",
    Kind.JSON: "multiline",
    Kind.DATE: "date",
}


def form_schema(entry: Field) -> dict[str, Any]:
    """Return the JSON schema Airflow's form builds a field from; every field may be left empty."""
    schema: dict[str, Any] = {
        "type": [_JSON_TYPES.get(entry.kind, "string"), "null"],
        "section": entry.section,
    }
    if schema["type"][0] == "array":
        schema["items"] = {"type": "string"}
    if entry.kind in _FORMATS:
        schema["format"] = _FORMATS[entry.kind]
    if entry.default is not None:
        schema["default"] = entry.default
    if entry.choices:
        schema["enum"] = list(entry.choices)
        schema["values_display"] = dict(entry.choices)
    if entry.kind in {Kind.INTEGER, Kind.SECONDS}:
        # JSON schema's exclusiveMinimum is not obeyed by the form; a second is the least anyone means.
        schema["minimum"] = entry.minimum if entry.minimum is not None else 1
        schema["maximum"] = entry.maximum
    return schema


def connection_fields() -> dict[str, dict[str, Any]]:
    """Return ``conn-fields`` for the provider info."""
    return {
        entry.key: {
            "label": entry.label,
            "description": entry.description,
            "schema": form_schema(entry),
        }
        for entry in FIELDS
    }


def field_behaviour() -> dict[str, Any]:
    """Return ``ui-field-behaviour`` for the provider info."""
    return {
        "hidden-fields": list(HIDDEN_STANDARD_FIELDS),
        "relabeling": {entry.key: entry.label for entry in STANDARD_FIELDS},
        "placeholders": {entry.key: entry.placeholder for entry in STANDARD_FIELDS if entry.placeholder},
    }


def default_extra() -> dict[str, Any]:
    """Return every declared key with its default, as a created connection must hold them all.

    Airflow's Edit form hides declared fields that a non-empty extra lacks.
    """
    return {entry.key: entry.default for entry in FIELDS}
