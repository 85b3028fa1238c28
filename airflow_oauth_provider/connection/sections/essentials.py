"""Fields that nearly every connection needs: the first section of the form."""

from __future__ import annotations

from types import MappingProxyType

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.protocol.client.methods import DEFAULT_METHOD, METHODS

_ESSENTIALS = "Essentials"

ESSENTIAL_FIELDS: tuple[Field, ...] = (
    Field(
        "auth_method",
        _ESSENTIALS,
        "Authentication method",
        "How this client proves who it is. Most servers want the secret as Basic or in the body.",
        Kind.ENUM,
        DEFAULT_METHOD,
        MappingProxyType({method.name: method.label for method in METHODS.values()}),
    ),
    Field(
        "scope",
        _ESSENTIALS,
        "Scope",
        "What the token is good for: space-delimited, case-sensitive. Example: orders.read orders.write",
        Kind.WORDS,
    ),
    Field(
        "audience",
        _ESSENTIALS,
        "Audience",
        "The API the token is for, where the server wants it so (Auth0). Example: https://api.example",
    ),
    Field(
        "base_url",
        _ESSENTIALS,
        "API base URL",
        "Endpoints are joined to it, and the token goes nowhere else. Example: https://api.example/v1",
    ),
)
