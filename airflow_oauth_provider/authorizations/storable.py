"""What some database does not take, of fields that any settings may hold.

Imported by neither tasks nor triggers: it reads Airflow's own model of a connection.
"""

from __future__ import annotations

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.parsing import FieldError, require_characters


def unstorable(values: ConnectionValues) -> dict[str, str]:
    """Return what cannot be stored, by field, and why."""
    from airflow.models.connection import Connection

    wrong = {}
    for name in ("description", "host", "login"):
        text = getattr(values, name) or ""
        longest = getattr(Connection.__table__.c[name].type, "length", None)
        try:
            require_characters(text)
        except FieldError as error:
            wrong[name] = str(error)
        if "\0" in text:
            wrong[name] = "contains a NUL character"
        elif longest is not None and len(text) > longest:
            wrong[name] = f"has more than {longest} characters"
    return wrong
