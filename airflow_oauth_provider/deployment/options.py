"""Section ``[oauth2]`` of ``airflow.cfg``: what a connection's editor must not decide.

One table declares the options; provider info and docs derive from it. Nothing here imports
Airflow: Airflow reads this while its own configuration is being set up.
"""

from __future__ import annotations

from typing import Any

SECTION = "oauth2"

OPTIONS: dict[str, dict[str, Any]] = {
    "token_store": {
        "description": (
            "Where tokens are shared: file (a folder below AIRFLOW_HOME, for all tasks of one host), "
            "memory (not shared: one token per process), or a redis:// or rediss:// address (for "
            "several hosts). Entries are sealed: only their own client can open them."
        ),
        "type": "string",
        "example": "rediss://:password@redis.example:6379/0",
        # Not "sensitive": Airflow would then mask the words file and memory in every log.
        "default": "file",
    },
    "store_key": {
        "description": (
            "Base64 of 32 random bytes, which then enter the key of every entry: recommended with "
            "Redis. Several, newest first, while rotating. With it, clients without a secret share too."
        ),
        "type": "string",
        "example": None,
        "default": "",
        "sensitive": True,
    },
    "allowed_token_hosts": {
        "description": (
            "Hosts that may receive client credentials: comma-separated, each host, host:port or "
            "*.domain. Empty: any host. Set it where connection editors must not learn secrets."
        ),
        "type": "string",
        "example": "login.example.com, *.idp.example",
        "default": "",
    },
    "allowed_api_hosts": {
        "description": (
            "Hosts that may receive access tokens through a connection's base_url and "
            "allowed_origins: comma-separated as above. Empty: any host."
        ),
        "type": "string",
        "example": "api.example.com, *.internal.example",
        "default": "",
    },
    "allowed_proxies": {
        "description": "Proxy hosts that a connection may name in proxy_url. Empty: none.",
        "type": "string",
        "example": "proxy.example:3128",
        "default": "",
    },
    "custom_providers": {
        "description": (
            "Token callables for auth_method custom: a JSON object, name to dotted path. Each is "
            "called with the ClientSettings and returns an AccessToken."
        ),
        "type": "string",
        "example": '{"corporate": "company.tokens.fetch"}',
        # Airflow runs str.format over defaults, so no braces here.
        "default": "",
    },
    "assertion_folders": {
        "description": (
            "Folders in which a connection may name a file with an assertion (assertion_file): "
            "comma-separated absolute paths. Empty: none. Needs allowed_token_hosts, too."
        ),
        "type": "string",
        "example": "/var/run/secrets/tokens, /run/spiffe",
        "default": "",
    },
    "credentials": {
        "description": (
            "Secrets and keys outside of the connections, by the name that a connection gives in "
            "external_credential: a JSON object, name to an object with file (a path) or env (a variable), "
            "and three lists: hosts (of token servers), client_ids, api_hosts. Optionally connections, the "
            "ids of those that may name it, and passphrase, an object with file or env: that of an "
            "encrypted key."
        ),
        "type": "string",
        "example": (
            '{"erp": {"file": "/run/secrets/erp", "hosts": ["login.example.com"], '
            '"client_ids": ["airflow"], "api_hosts": ["erp.example.com"]}}'
        ),
        "default": "",
    },
    "lent_connections": {
        "description": (
            "Ids of connections whose tokens another connection may name (azure_conn_id of Snowflake and "
            "PostgreSQL, adapters): comma-separated, or * for all. Empty: none. Who edits such a connection "
            "can have these tokens sent to a host of their own."
        ),
        "type": "string",
        "example": "snowflake_oauth, warehouse_iam",
        "default": "",
    },
    "allow_unverified_tls": {
        "description": "Let connections switch off TLS verification. For test systems only.",
        "type": "boolean",
        "example": None,
        "default": "False",
    },
    "show_api_answers": {
        "description": (
            "Let the page show what an API answers to Try (the beginning of the body, redacted) to whoever "
            "may edit the connection. False: only status, content type and size."
        ),
        "type": "boolean",
        "example": None,
        "default": "False",
    },
    "default_category": {
        "description": "Category of connections that name none.",
        "type": "string",
        "example": "integration",
        "default": "",
    },
    "history_days": {
        "description": (
            "Days for which the outcomes of each connection, and the tasks that use it, are kept for the "
            "page and commands: 0 to 90. 0 keeps none."
        ),
        "type": "integer",
        "example": None,
        "default": "7",
    },
}


def provider_config() -> dict[str, Any]:
    """Return ``config`` for the provider info."""
    return {
        SECTION: {
            "description": "OAuth 2.0 client credentials (airflow-oauth-provider).",
            "options": {
                name: {"version_added": "0.1.0", "sensitive": False, **option}
                for name, option in OPTIONS.items()
            },
        }
    }
