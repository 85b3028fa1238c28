from __future__ import annotations

import json

import jsonschema
import pytest

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS
from airflow_oauth_provider.connection.provider_form import (
    connection_fields,
    default_extra,
    field_behaviour,
    form_schema,
)


@pytest.mark.parametrize("entry", FIELDS, ids=lambda entry: entry.key)
def test_a_schema_takes_the_default_and_nothing_at_all(entry: Field) -> None:
    schema = form_schema(entry)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(None, {**schema, "enum": [*schema["enum"], None]} if "enum" in schema else schema)
    if entry.default is not None:
        jsonschema.validate(entry.default, schema)
    assert schema["section"] == entry.section


@pytest.mark.parametrize(
    ("kind", "type_", "format_"),
    [
        (Kind.STRING, "string", None),
        (Kind.TEXT, "string", "multiline"),
        (Kind.SECRET, "string", "password"),
        (Kind.SECRET_TEXT, "string", "multiline"),
        (Kind.SECRET_PAIRS, "string", "multiline"),
        (Kind.PAIRS, "array", None),
        (Kind.LIST, "array", None),
        (Kind.DATE, "string", "date"),
        (Kind.BOOLEAN, "boolean", None),
        (Kind.INTEGER, "integer", None),
        (Kind.SECONDS, "number", None),
    ],
)
def test_how_a_kind_is_shown(kind: Kind, type_: str, format_: str | None) -> None:
    schema = form_schema(Field("key", "section", "Label", "help", kind, maximum=9))
    assert (schema["type"][0], schema.get("format")) == (type_, format_)


def test_a_created_connection_holds_every_key() -> None:
    assert list(default_extra()) == [entry.key for entry in FIELDS] == list(connection_fields())
    json.dumps(connection_fields())
    assert field_behaviour()["hidden-fields"] == ["port", "schema"]
