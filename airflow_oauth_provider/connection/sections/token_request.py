"""Fields of the token request, and of how it is repeated."""

from __future__ import annotations

from types import MappingProxyType

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.protocol.profile import DEFAULT_PROFILE, PROFILES

_TOKEN = "Token request"
_RETRY = "Retry"

TOKEN_REQUEST_FIELDS: tuple[Field, ...] = (
    Field(
        "include_scope",
        _TOKEN,
        "Include scope",
        "Include the scope in the access token request.",
        Kind.BOOLEAN,
        True,
    ),
    Field(
        "resource",
        _TOKEN,
        "Resources",
        "URIs of the APIs the token is for (RFC 8707), one a line. Example: https://api.example/orders",
        Kind.LIST,
    ),
    Field(
        "allowed_scopes",
        _TOKEN,
        "Allowed scopes",
        "Scopes that a single use may ask for instead of the connection's (scope=…), one a line. Left empty: "
        "any. Example: orders.write",
        Kind.LIST,
    ),
    Field(
        "allowed_audiences",
        _TOKEN,
        "Allowed audiences",
        "Audiences that a single use may name instead of the connection's (audience=…), one a line. Left "
        "empty: any. Example: https://reports.example",
        Kind.LIST,
    ),
    Field(
        "rich_requests",
        _TOKEN,
        "Rich authorization requests",
        "JSON array of objects, each with a type (RFC 9396), sent as authorization_details. Example: "
        '[{"type": "account_information", "actions": ["list_accounts"]}]',
        Kind.JSON,
    ),
    Field(
        "query_params",
        _TOKEN,
        "Query parameters",
        "Added to the access token URL: name=value, one a line. Example: tenant=emea. No secrets here.",
        Kind.PAIRS,
    ),
    Field(
        "post_params",
        _TOKEN,
        "Post parameters",
        "Added to the body of the token request: name=value, one a line. Example: realm=production",
        Kind.PAIRS,
    ),
    Field(
        "secret_params",
        _TOKEN,
        "Secret post parameters",
        "Like the post parameters, but masked: name=value, one a line. Example: account_password=…",
        Kind.SECRET_PAIRS,
    ),
    Field(
        "request_headers",
        _TOKEN,
        "Request headers",
        "Sent to the token server only: name=value, one a line. Example: X-Tenant=emea",
        Kind.PAIRS,
    ),
    Field(
        "secret_headers",
        _TOKEN,
        "Secret request headers",
        "Like the request headers, but masked: name=value, one a line. Example: X-Gateway-Key=…",
        Kind.SECRET_PAIRS,
    ),
    Field(
        "discovery",
        _TOKEN,
        "Discovery",
        "The access token URL above is the issuer: its metadata names the token endpoint (RFC 8414).",
        Kind.BOOLEAN,
        False,
    ),
    Field(
        "profile",
        _TOKEN,
        "Profile",
        "The rules that this connection obeys; what does not fit them is refused.",
        Kind.ENUM,
        DEFAULT_PROFILE,
        MappingProxyType({profile.name: profile.label for profile in PROFILES.values()}),
    ),
    Field(
        "max_retry_attempts",
        _RETRY,
        "Maximum retry attempts",
        "Further token requests after the first one failed for a temporary reason: 0 to 10.",
        Kind.INTEGER,
        3,
        minimum=0,
        maximum=10,
    ),
    Field(
        "max_wait",
        _RETRY,
        "Maximum wait duration (seconds)",
        "Longest time one caller waits for a token, all attempts and pauses included: up to 3600.",
        Kind.SECONDS,
        60,
        above=0,
        maximum=3600,
    ),
)
