"""Where an issuer's metadata leads a client, as far as it is known; no network."""

from __future__ import annotations

from airflow_oauth_provider.protocol.configured_server import Issuer
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.sharing import Sharing


def discovered_hosts_warning(settings: ClientSettings, sharing: Sharing) -> str | None:
    """Warn of endpoints on other hosts than the issuer's that no allow-list bounds.

    RFC 8414 allows them, and large servers have them: so they are used. Yet it is the issuer's document
    that says where the credential goes.

    :return: ``None`` where there is nothing to warn of, or nothing has been fetched yet.
    """
    server = settings.server
    if not isinstance(server, Issuer) or server.allowed_hosts:
        return None
    known = Entries(settings, sharing).metadata(server)
    if known is None:
        return None
    urls = (url for _, url in (*known.metadata.endpoints, *known.metadata.mtls_endpoints))
    others = dict.fromkeys(url.origin.authority for url in urls if url.origin != server.origin)
    if not others:
        return None
    hosts = ", ".join(others)
    return (
        f"the metadata of the issuer {server.origin.authority} sends this client's credential to other hosts "
        f"({hosts}), and [oauth2] allowed_token_hosts of airflow.cfg is empty: if that is right, list "
        f"{server.origin.authority}, {hosts} there"
    )
