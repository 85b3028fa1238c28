"""The form for Airflow 3.0 and 3.1, which ask the hook for it; later versions read provider info.

Those versions describe a form in terms of WTForms, which Airflow 3.0 does not install itself: there
no provider has a form without it.
"""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS
from airflow_oauth_provider.connection.provider_form import field_behaviour


def connection_form_widgets() -> dict[str, Any]:
    """Return a widget for each extra field."""
    from wtforms import BooleanField, IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    def widget(entry: Field) -> Any:
        common: dict[str, Any] = {"description": entry.description, "default": entry.default}
        if entry.kind is Kind.BOOLEAN:
            return BooleanField(entry.label, **common)
        common["validators"] = [Optional()]
        if entry.kind is Kind.INTEGER:
            return IntegerField(entry.label, **common)
        if entry.secret:
            return PasswordField(entry.label, **common)
        if entry.choices:
            common["validators"].append(any_of(list(entry.choices)))
        common["default"] = None if entry.default is None else str(entry.default)
        return StringField(entry.label, **common)

    return {entry.key: widget(entry) for entry in FIELDS}


def ui_field_behaviour() -> dict[str, Any]:
    """Return which standard fields are hidden and how the others are called."""
    behaviour = field_behaviour()
    return {
        "hidden_fields": behaviour["hidden-fields"],
        "relabeling": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
    }
