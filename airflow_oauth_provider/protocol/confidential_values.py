"""What the redactor removes for a client: its secrets, and of a proxy's address the user and the password."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_oauth_provider.protocol.redaction import Redactor

if TYPE_CHECKING:
    from airflow_oauth_provider.protocol.settings import ClientSettings


def redactor_of(settings: ClientSettings, *tokens: str) -> Redactor:
    """Return the redactor of a client's secrets, and of tokens."""
    return Redactor((*confidential_values(settings), *tokens), public=public_values(settings))


def secrets_redactor(settings: ClientSettings) -> Redactor:
    """Return the redactor of a client's secrets alone, made once."""
    known: Redactor | None = settings.__dict__.get("secrets_redactor")
    if known is None:
        known = settings.__dict__["secrets_redactor"] = redactor_of(settings)
    return known


def confidential_values(settings: ClientSettings) -> tuple[str, ...]:
    """Return the secrets of a client; of its proxy's address only user and password."""
    proxy = settings.network.proxy_url
    values: list[str] = []
    for secret in settings.secrets():
        values += _credentials_in(secret.reveal()) if secret == proxy else (secret.reveal(),)
    return tuple(dict.fromkeys(values))


def public_values(settings: ClientSettings) -> tuple[str, ...]:
    """Return what anybody may read of a client, though its secret may be made of it."""
    return settings.client_id, str(settings.server), *settings.request.scope


def _credentials_in(url: str) -> tuple[str, ...]:
    userinfo, at, _ = url.partition("://")[2].rpartition("@")
    password = userinfo.partition(":")[2]
    return (userinfo, password, unquote(password)) if at else ()
