"""What Airflow reads to learn of this provider; imports nothing heavy."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider import __version__
from airflow_oauth_provider.connection import fields
from airflow_oauth_provider.connection.provider_form import connection_fields, field_behaviour
from airflow_oauth_provider.deployment import options as configuration

_INTEGRATION = "OAuth 2.0"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata."""
    return {
        "package-name": "airflow-oauth-provider",
        "name": _INTEGRATION,
        "description": "OAuth 2.0 client credentials: configured once, called from DAGs, seen by operations.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://datatracker.ietf.org/doc/html/rfc6749#section-4.4",
                "tags": ["protocol"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["airflow_oauth_provider.operators.oauth2"],
            }
        ],
        "sensors": [
            {"integration-name": _INTEGRATION, "python-modules": ["airflow_oauth_provider.sensors.oauth2"]}
        ],
        "triggers": [
            {"integration-name": _INTEGRATION, "python-modules": ["airflow_oauth_provider.triggers.oauth2"]}
        ],
        "hooks": [
            {"integration-name": _INTEGRATION, "python-modules": ["airflow_oauth_provider.hooks.oauth2"]}
        ],
        "notifications": ["airflow_oauth_provider.notifications.oauth2.OAuth2HttpNotifier"],
        "connection-types": [
            {
                "connection-type": fields.CONNECTION_TYPE,
                "hook-class-name": fields.HOOK_CLASS,
                "hook-name": fields.HOOK_NAME,
                "conn-fields": connection_fields(),
                "ui-field-behaviour": field_behaviour(),
            }
        ],
        "config": configuration.provider_config(),
        "cli": ["airflow_oauth_provider.cli.definition.get_oauth2_cli_commands"],
    }
