"""Fields for servers that are not quite those of RFC 6749 and RFC 6750; each default is the standard."""

from __future__ import annotations

from types import MappingProxyType

from airflow_oauth_provider.connection.field_kinds import Field, Kind

_UNUSUAL = "Unusual servers"

UNUSUAL_FIELDS: tuple[Field, ...] = (
    Field(
        "tenant",
        _UNUSUAL,
        "Tenant",
        "Stands for {tenant} in access token URL, base URL, scope, audience, resources, query and post "
        "parameters. Letters, digits, hyphens. In the access token URL's host it needs [oauth2] "
        "allowed_token_hosts. Example: acme",
    ),
    Field(
        "tenants",
        _UNUSUAL,
        "Further tenants",
        "Tenants that a single call or task may name instead (tenant=…), one a line.",
        Kind.LIST,
    ),
    Field(
        "body_format",
        _UNUSUAL,
        "Body format",
        "How the token request carries its parameters. Never in the URL.",
        Kind.ENUM,
        "form",
        MappingProxyType({"form": "Form, as RFC 6749 demands (form)", "json": "JSON object (json)"}),
    ),
    Field(
        "grant_name",
        _UNUSUAL,
        "Grant name",
        "The grant_type of the token request, where the server calls the client credentials grant otherwise. "
        "Left empty: client_credentials. Example: account_credentials",
    ),
    Field(
        "answer_fields",
        _UNUSUAL,
        "Response fields",
        "Where the token response has access_token, expires_in, expires_at, token_type, scope or "
        "instance_url, if not where RFC 6749 has them: name=JSON path, one a line. "
        "Example: access_token=$.data.token",
        Kind.PATHS,
    ),
    Field(
        "expires_in_unit",
        _UNUSUAL,
        "Unit of expires_in",
        "In which the token response counts the token's lifetime.",
        Kind.ENUM,
        "seconds",
        MappingProxyType(
            {
                "seconds": "Seconds, as RFC 6749 demands (seconds)",
                "milliseconds": "Milliseconds (milliseconds)",
                "minutes": "Minutes (minutes)",
            }
        ),
    ),
    Field(
        "tolerate",
        _UNUSUAL,
        "Tolerate",
        "What else to accept of a token response, one a line: created (HTTP status 201), untyped (no "
        "token_type; the token is taken for a Bearer token).",
        Kind.LIST,
    ),
    Field(
        "header_name",
        _UNUSUAL,
        "Token header",
        "Where the API wants the token. Left empty: Authorization. Example: X-Api-Token",
    ),
    Field(
        "header_scheme",
        _UNUSUAL,
        "Token scheme",
        "What stands before the token in its header. Left empty: Bearer in Authorization, nothing in any "
        "other; none for nothing in any. Example: Token",
    ),
    Field(
        "basic_encoding",
        _UNUSUAL,
        "Basic encoding",
        "How id and secret enter Basic authentication. Try raw if a correct secret with special "
        "characters is refused.",
        Kind.ENUM,
        "rfc6749",
        MappingProxyType(
            {"rfc6749": "Form-encoded, as RFC 6749 demands (rfc6749)", "raw": "As they are (raw)"}
        ),
    ),
)
