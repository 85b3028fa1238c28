"""The one table of the connection's fields.

The form (declarative since Airflow 3.2, by hook methods before), the parsing, the docs' table
and the tests all derive from it. Nothing here imports Airflow: every ``airflow`` command and every
API server reads it through the provider info.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from airflow_oauth_provider.connection.field_kinds import Field, Kind, StandardField
from airflow_oauth_provider.protocol.client.methods import DEFAULT_METHOD, METHODS, Needs

CONNECTION_TYPE = "oauth2_client_credentials"
HOOK_NAME = "OAuth 2.0 (client credentials)"
HOOK_CLASS = "airflow_oauth_provider.hooks.oauth2.OAuth2Hook"


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


_WITHOUT_SECRET = _listed(method.name for method in METHODS.values() if method.needs is not Needs.SECRET)

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
        f"Leave empty for {_WITHOUT_SECRET}",
    ),
)
HIDDEN_STANDARD_FIELDS = ("port", "schema")

_TOKEN, _RETRY, _JWT = "Token request", "Retry", "JWT and certificate"
_API, _NETWORK, _ORGANISATION = "API", "Network", "Organisation"

FIELDS: tuple[Field, ...] = (
    Field(
        "auth_method",
        _TOKEN,
        "Authentication method",
        "How this client proves who it is. Most servers want the secret as Basic or in the body.",
        Kind.ENUM,
        DEFAULT_METHOD,
        MappingProxyType({method.name: method.label for method in METHODS.values()}),
    ),
    Field(
        "scope",
        _TOKEN,
        "Scope",
        "What the token is good for: space-delimited, case-sensitive. Example: orders.read orders.write",
        Kind.WORDS,
    ),
    Field(
        "include_scope",
        _TOKEN,
        "Include scope",
        "Include the scope in the access token request.",
        Kind.BOOLEAN,
        True,
    ),
    Field(
        "audience",
        _TOKEN,
        "Audience",
        "The API the token is for, where the server wants it so (Auth0). Example: https://api.example",
    ),
    Field(
        "resource",
        _TOKEN,
        "Resources",
        "URIs of the APIs the token is for (RFC 8707), one a line. Example: https://api.example/orders",
        Kind.LIST,
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
        "basic_encoding",
        _TOKEN,
        "Basic encoding",
        "How id and secret enter Basic authentication. Try raw if a correct secret with special "
        "characters is refused.",
        Kind.ENUM,
        "rfc6749",
        MappingProxyType(
            {"rfc6749": "Form-encoded, as RFC 6749 demands (rfc6749)", "raw": "As they are (raw)"}
        ),
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
    Field(
        "private_key",
        _JWT,
        "Private key",
        "For private_key_jwt: PEM, JWK, or Base64 of a PKCS#12 file (certificate with key). RSA of at "
        "least 2048 bits, EC P-256 or Ed25519.",
        Kind.SECRET_TEXT,
    ),
    Field(
        "private_key_passphrase",
        _JWT,
        "Private key passphrase",
        "Of an encrypted PEM or PKCS#12; empty if the key is not encrypted.",
        Kind.SECRET,
    ),
    Field(
        "jwt_algorithm",
        _JWT,
        "JWT algorithm",
        "Left empty: HS256 for a secret, and for a key the algorithm of its type (RSA: RS256).",
        Kind.ENUM,
        None,
        MappingProxyType(
            {
                "RS256": "RS256 (RSA)",
                "PS256": "PS256 (RSA-PSS)",
                "ES256": "ES256 (EC P-256)",
                "EdDSA": "EdDSA (Ed25519)",
                "HS256": "HS256 (client secret)",
            }
        ),
    ),
    Field(
        "key_id",
        _JWT,
        "Key ID",
        "The kid header of the JWT, where the server tells keys apart by it. Example: 2026-key-1",
    ),
    Field(
        "jwt_lifetime",
        _JWT,
        "JWT lifetime (seconds)",
        "Time from the JWT's issue to its expiry: up to 3600; many servers refuse more than 300.",
        Kind.SECONDS,
        60,
        minimum=1,
        maximum=3600,
    ),
    Field(
        "jwt_audience",
        _JWT,
        "JWT audience",
        "The aud claim; left empty, the access token URL. One that is not of the access token URL's host "
        "needs [oauth2] allowed_token_hosts. Example: https://idp.example",
    ),
    Field(
        "jwt_claims",
        _JWT,
        "Additional JWT claims",
        "name=value, one a line; in the extra JSON also an object. Example: tenant=emea",
        Kind.PAIRS,
    ),
    Field(
        "custom_provider",
        _JWT,
        "Custom provider",
        "For custom: the name of an entry of [oauth2] custom_providers in airflow.cfg.",
    ),
    Field(
        "base_url",
        _API,
        "API base URL",
        "Endpoints are joined to it, and the token goes nowhere else. Example: https://api.example/v1",
    ),
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
        "ca_certificates",
        _NETWORK,
        "CA certificates",
        "PEM of the private authorities that issued the servers' certificates; only they are trusted then.",
        Kind.TEXT,
    ),
    Field(
        "verify_tls",
        _NETWORK,
        "Verify TLS certificates",
        "Off needs [oauth2] allow_unverified_tls in airflow.cfg. Better: fill in CA certificates.",
        Kind.BOOLEAN,
        True,
    ),
    Field(
        "request_timeout",
        _NETWORK,
        "Request timeout (seconds)",
        "Longest time for one token request: up to 3600.",
        Kind.SECONDS,
        15,
        above=0,
        maximum=3600,
    ),
    Field(
        "proxy_url",
        _NETWORK,
        "Proxy URL",
        "Instead of the environment's proxy; its host must be listed in [oauth2] allowed_proxies. "
        "Example: http://proxy.example:3128",
        Kind.SECRET,
    ),
    Field(
        "category",
        _ORGANISATION,
        "Category",
        "For filtering lists and checks. Example: finance",
    ),
)

FIELDS_BY_KEY: Mapping[str, Field] = MappingProxyType({entry.key: entry for entry in FIELDS})
