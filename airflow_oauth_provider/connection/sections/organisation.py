"""Fields by which people find and judge connections."""

from __future__ import annotations

from airflow_oauth_provider.connection.field_kinds import Field, Kind

_ORGANISATION = "Organisation"

ORGANISATION_FIELDS: tuple[Field, ...] = (
    Field(
        "category",
        _ORGANISATION,
        "Category",
        "For filtering lists and checks. Example: finance",
    ),
    Field(
        "credential_expires_on",
        _ORGANISATION,
        "Credential expires on",
        "The day on which secret or key end: no server tells it. Checks, lists and the page warn ahead of "
        "it, and tasks go on as before. Example: 2027-03-31",
        Kind.DATE,
    ),
)
