"""Fields of the protected API."""

from __future__ import annotations

from types import MappingProxyType

from airflow_oauth_provider.connection.field_kinds import Field, Kind

_API = "API"

API_FIELDS: tuple[Field, ...] = (
    Field(
        "allowed_origins",
        _API,
        "Further allowed origins",
        "Other places the token may go to, one a line. Example: https://files.example",
        Kind.LIST,
    ),
    Field(
        "api_headers",
        _API,
        "API headers",
        "Sent with every API call: name=value, one a line; no secrets. Example: Accept=application/json",
        Kind.PAIRS,
    ),
    Field(
        "probe_path",
        _API,
        "Probe path",
        "A path below the base URL that connection tests and checks GET with the token. Example: /health",
    ),
    Field(
        "require_scopes",
        _API,
        "Required scopes",
        "Fail when the server grants less: space-delimited. A server that does not name what it grants is "
        "taken to have granted what was asked for. Example: orders.read",
        Kind.WORDS,
    ),
    Field(
        "refresh_on_status",
        _API,
        "Refresh on status",
        "HTTP statuses of the API that may mean a dead token, one a line. Left empty: 401.",
        Kind.LIST,
        minimum=400,
        maximum=499,
    ),
    Field(
        "cool_down",
        _API,
        "Cool-down",
        "After which responses of the API no task calls it until the Retry-After is over: 300 s at the most.",
        Kind.ENUM,
        "429",
        MappingProxyType(
            {
                "429": "After 429 Too Many Requests (429)",
                "429_or_503": "After 429, and after 503 Service Unavailable (429_or_503)",
                "never": "Never (never)",
            }
        ),
    ),
    Field(
        "dead_when",
        _API,
        "Dead token in the response",
        "By what JSON in a response, whatever its status, the API says that the token has ended: one line. "
        "Example: $.errors[*].code in 601, 602",
    ),
)
