from __future__ import annotations

import pytest

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import (
    FIELDS,
    FIELDS_BY_KEY,
    HIDDEN_STANDARD_FIELDS,
    STANDARD_FIELDS,
)
from airflow_oauth_provider.connection.parsing import parse


def test_keys_and_labels_are_unique_and_sections_stand_together() -> None:
    assert len(FIELDS_BY_KEY) == len(FIELDS) == len({entry.label for entry in FIELDS})
    sections = [entry.section for entry in FIELDS]
    changes = [
        section for section, before in zip(sections, [None, *sections], strict=False) if section != before
    ]
    assert len(changes) == len(set(sections)), "the form shows them in this order"


@pytest.mark.parametrize("entry", FIELDS, ids=lambda entry: entry.key)
def test_each_field_explains_itself_and_its_default_is_a_value_of_it(entry: Field) -> None:
    assert entry.description
    assert entry.label[0].isupper()
    assert parse(entry, entry.default) == (None if entry.default is None else parse(entry, entry.default))
    if entry.kind is Kind.ENUM:
        assert entry.default in entry.choices or entry.default is None
        assert entry.choices
    if entry.kind in {Kind.INTEGER, Kind.SECONDS}:
        assert entry.maximum is not None
    assert not entry.secret or entry.default is None


def test_the_standard_fields_of_airflow_are_either_named_or_hidden() -> None:
    named = [entry.key for entry in STANDARD_FIELDS]
    assert named == ["host", "login", "password"]
    assert HIDDEN_STANDARD_FIELDS == ("port", "schema")


@pytest.mark.fault("F47")
def test_the_first_section_holds_what_nearly_every_connection_needs() -> None:
    first = FIELDS[0].section
    essentials = [entry.key for entry in FIELDS if entry.section == first]
    assert (first, essentials) == ("Essentials", ["auth_method", "scope", "audience", "base_url"])
