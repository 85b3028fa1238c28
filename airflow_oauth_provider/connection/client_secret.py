"""The client secret, wherever it comes from."""

from __future__ import annotations

from airflow_oauth_provider.connection.checks import odd_ends
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.secret import Secret

SHORTEST_SEALING = 16
"""Characters of a secret from which entries in a foreign database are sealed well enough."""


def client_secret(extra: Extra, field: str, value: str, policy: Policy) -> Secret:
    """Check a client secret, and warn of what is odd about it.

    :param field: of the connection that it comes from.
    :raises ConfigurationError: naming connection and field.
    """
    secret = extra.secret_of(field, value, multiline=False)
    if odd := odd_ends(value):
        extra.warnings.append(f"the client secret {odd}: is that meant?")
    if len(value) < policy.shortest_masked:
        extra.warnings.append("the client secret is so short that Airflow does not mask it in logs")
    if len(value) < SHORTEST_SEALING and policy.sharing.leaves_the_host:
        extra.warnings.append(
            f"the client secret has less than {SHORTEST_SEALING} characters and could be guessed from "
            "entries of the token store: set [oauth2] store_key"
        )
    return secret
