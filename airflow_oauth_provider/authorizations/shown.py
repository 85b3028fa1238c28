"""A connection's settings as they may be shown."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.fields import FIELDS, STANDARD_FIELDS
from airflow_oauth_provider.parsing import FieldError, parse_extra


def shown_settings(connection: Any) -> tuple[tuple[str, str], ...]:
    """Return label and value of each field that is filled in; of a secret only that it is."""
    try:
        values = ConnectionValues.of(connection)
        extra = parse_extra(values.extra)
    except (ConfigurationError, FieldError):
        return ()
    shown = [
        (entry.label, "set" if entry.key == "password" else showable(value) or "")
        for entry in STANDARD_FIELDS
        if (value := getattr(values, entry.key))
    ]
    for entry in FIELDS:
        value = extra.get(entry.key)
        if value not in (None, "", [], {}):
            shown.append((entry.label, "set" if entry.secret else showable(_text(value)) or ""))
    return tuple(shown)


def showable(text: str | None) -> str | None:
    """Replace halves of characters, which JSON can carry and no page."""
    return None if text is None else str(text).encode(errors="replace").decode()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(str(item) for item in value)
    if isinstance(value, dict):
        return "\n".join(f"{name}={content}" for name, content in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)
