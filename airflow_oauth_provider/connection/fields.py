"""The one table of the connection's fields.

The form (declarative since Airflow 3.2, by hook methods before), the parsing, the docs' table
and the tests all derive from it. Nothing here imports Airflow: every ``airflow`` command and every
API server reads it through the provider info.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_oauth_provider.connection.field_kinds import Field, StandardField
from airflow_oauth_provider.connection.sections.api import API_FIELDS
from airflow_oauth_provider.connection.sections.credential import CREDENTIAL_FIELDS
from airflow_oauth_provider.connection.sections.essentials import ESSENTIAL_FIELDS
from airflow_oauth_provider.connection.sections.network import NETWORK_FIELDS
from airflow_oauth_provider.connection.sections.organisation import ORGANISATION_FIELDS
from airflow_oauth_provider.connection.sections.token_request import TOKEN_REQUEST_FIELDS
from airflow_oauth_provider.connection.sections.unusual_servers import UNUSUAL_FIELDS

CONNECTION_TYPE = "oauth2_client_credentials"
HOOK_NAME = "OAuth 2.0 (client credentials)"
HOOK_CLASS = "airflow_oauth_provider.hooks.oauth2.OAuth2Hook"


STANDARD_FIELDS = (
    StandardField(
        "host",
        "Access token URL",
        "The token endpoint, whole (with discovery on, the issuer); https is assumed",
        "https://idp.example/oauth2/token",
    ),
    StandardField("login", "Client ID", "As registered with the authorization server", "my-client"),
    StandardField(
        "password",
        "Client secret",
        "As issued by the authorization server",
        "Empty where a key, certificate or file is the proof",
    ),
)
HIDDEN_STANDARD_FIELDS = ("port", "schema")

FIELDS: tuple[Field, ...] = (
    *ESSENTIAL_FIELDS,
    *TOKEN_REQUEST_FIELDS,
    *CREDENTIAL_FIELDS,
    *API_FIELDS,
    *NETWORK_FIELDS,
    *ORGANISATION_FIELDS,
    *UNUSUAL_FIELDS,
)
"""In the order of the form; a section's fields stand in a module of its own."""

FIELDS_BY_KEY: Mapping[str, Field] = MappingProxyType({entry.key: entry for entry in FIELDS})
