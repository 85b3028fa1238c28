"""What ``airflow oauth2 token`` shows of a token."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.authorizations.times import iso
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.protocol.private_token import details_of
from airflow_oauth_provider.protocol.token.authorization_details import displayed
from airflow_oauth_provider.protocol.token.claims import claims_of
from airflow_oauth_provider.tokens import AccessToken


def token_facts(client: OAuth2Client, token: AccessToken, *, reveal: bool) -> dict[str, Any]:
    """Return what the server said of a token.

    :param client: that has got it.
    :param reveal: with the token itself.
    """
    return {
        "conn_id": client.conn_id,
        "token_type": token.token_type,
        "expires_at": iso(token.expires_at),
        "issued_at": iso(token.issued_at),
        "scopes": sorted(token.scopes),
        "details": displayed(details_of(token)) or None,
        "token_requests": client.cost.requests,
        "access_token": token.value if reveal else "***",
    }


def claims_facts(client: OAuth2Client, token: AccessToken, *, as_document: bool) -> dict[str, Any]:
    """Return what a token says of itself, which nobody has verified."""
    claims = claims_of(token.value, client.redactor.with_values(token.value))
    return {"claims": claims.report()} if as_document else {"claims, not verified": claims.lines}
