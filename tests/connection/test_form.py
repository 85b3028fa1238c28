from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.connection.field_kinds import Kind
from airflow_oauth_provider.connection.fields import FIELDS, STANDARD_FIELDS
from airflow_oauth_provider.connection.form import connection_form_widgets, ui_field_behaviour

wtforms: Any = pytest.importorskip("wtforms")


def test_a_widget_for_each_field() -> None:
    form = type("Form", (wtforms.Form,), connection_form_widgets())()
    assert [field.name for field in form] == [entry.key for entry in FIELDS]
    for entry in FIELDS:
        field = form[entry.key]
        assert field.label.text == entry.label
        assert field.description == entry.description
        assert (field.type == "PasswordField") is entry.secret, entry.key
        if entry.kind is Kind.BOOLEAN:
            assert field.default is entry.default


def test_what_is_not_offered_is_refused() -> None:
    form = type("Form", (wtforms.Form,), {"auth_method": connection_form_widgets()["auth_method"]})

    def accepts(value: str) -> Any:
        given = form()
        given.auth_method.raw_data = [value]
        given.auth_method.data = value
        return given.validate()

    assert accepts("client_secret_post")
    assert not accepts("no such")


def test_standard_fields() -> None:
    behaviour = ui_field_behaviour()
    assert behaviour["hidden_fields"] == ["port", "schema"]
    assert behaviour["relabeling"] == {entry.key: entry.label for entry in STANDARD_FIELDS}
    assert set(behaviour["placeholders"]) <= set(behaviour["relabeling"])
