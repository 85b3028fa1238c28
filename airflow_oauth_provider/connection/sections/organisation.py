"""Fields by which people find and judge connections."""

from __future__ import annotations

from airflow_oauth_provider.connection.field_kinds import Field

_ORGANISATION = "Organisation"

ORGANISATION_FIELDS: tuple[Field, ...] = (
    Field(
        "category",
        _ORGANISATION,
        "Category",
        "For filtering lists and checks. Example: finance",
    ),
)
