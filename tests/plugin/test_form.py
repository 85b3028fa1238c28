"""The form without Airflow around it: its sections, and what a preset fills in."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.form_values import FormValue
from airflow_oauth_provider.connection.field_kinds import Kind
from airflow_oauth_provider.connection.fields import FIELDS, FIELDS_BY_KEY
from airflow_oauth_provider.connection.presets import presets
from airflow_oauth_provider.plugin.form import (
    FIRST_SECTION,
    FormField,
    preset_values,
    sections,
)

pytestmark = pytest.mark.airflow


def test_every_field_of_the_table_stands_in_it_once() -> None:
    form = sections({}, {})
    keys = [entry.entry.key for section in form for entry in section.fields]
    assert sorted(keys) == sorted([*FIELDS_BY_KEY, "host", "login", "password", "description"])
    others = [section.title for section in form if section.title != FIRST_SECTION]
    named = list(dict.fromkeys(entry.section for entry in FIELDS))
    assert others == [title for title in named if title in others], "in the order of Airflow's form"
    assert all(section.fields for section in form)


@pytest.mark.parametrize(
    ("key", "value", "control"),
    [
        ("post_params", FormValue(), "rows"),
        ("jwt_claims", FormValue('{"a": [1]}'), "lines"),
        ("secret_params", FormValue(), "lines"),
        ("include_scope", FormValue(), "box"),
        ("auth_method", FormValue(), "choice"),
        ("max_wait", FormValue(), "number"),
        ("scope", FormValue(), "text"),
        ("proxy_url", FormValue(), "secret"),
    ],
)
def test_controls(key: str, value: FormValue, control: str) -> None:
    assert FormField(FIELDS_BY_KEY[key], value).control == control


def test_defaults_are_filled_in_and_are_nothing_entered() -> None:
    field = FormField(FIELDS_BY_KEY["max_wait"], FormValue())
    assert (field.text, field.is_filled_in) == ("60", False)
    assert FormField(FIELDS_BY_KEY["max_wait"], FormValue("30")).is_filled_in
    assert FormField(FIELDS_BY_KEY["jwt_algorithm"], FormValue()).choices[""] == ""


@pytest.mark.parametrize("name", presets())
def test_each_preset_fills_in_what_the_form_can_show(name: str) -> None:
    preset = presets()[name]
    values = preset_values(preset, "acme" if preset.tenant else None)
    for key, value in values.items():
        if key == "host":
            continue
        entry = FIELDS_BY_KEY[key]
        assert not entry.secret
        assert bool(value.rows) == (entry.kind in {Kind.PAIRS, Kind.PATHS})
        assert not entry.choices or value.text in entry.choices
    assert set(preset.extra) <= set(values)
