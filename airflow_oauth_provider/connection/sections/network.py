"""Fields of how servers are reached."""

from __future__ import annotations

from airflow_oauth_provider.connection.field_kinds import Field, Kind

_NETWORK = "Network"

NETWORK_FIELDS: tuple[Field, ...] = (
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
)
