"""The form for Airflow 3.0 and 3.1, which ask the hook for it; later versions read provider info."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider import fields
from airflow_oauth_provider.fields import Field, Kind


def connection_form_widgets() -> dict[str, Any]:
    """Return a widget for each extra field."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    def widget(entry: Field) -> Any:
        label, common = (
            lazy_gettext(entry.label),
            {"description": entry.description, "default": entry.default},
        )
        if entry.kind is Kind.BOOLEAN:
            return BooleanField(label, **common)
        if entry.kind is Kind.INTEGER:
            return IntegerField(label, validators=[Optional()], **common)
        if entry.secret:
            return PasswordField(label, widget=BS3PasswordFieldWidget(), validators=[Optional()], **common)
        if entry.kind is Kind.ENUM:
            choices = any_of(list(entry.choices))
            return StringField(label, widget=BS3TextFieldWidget(), validators=[Optional(), choices], **common)
        text = None if entry.default is None else str(entry.default)
        return StringField(
            label, widget=BS3TextFieldWidget(), validators=[Optional()], **{**common, "default": text}
        )

    return {entry.key: widget(entry) for entry in fields.FIELDS}


def ui_field_behaviour() -> dict[str, Any]:
    """Return which standard fields are hidden and how the others are called."""
    behaviour = fields.field_behaviour()
    return {
        "hidden_fields": behaviour["hidden-fields"],
        "relabeling": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
    }
