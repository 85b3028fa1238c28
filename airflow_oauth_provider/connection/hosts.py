"""The hosts that a connection may name: those of an allow-list, and no address that nobody means."""

from __future__ import annotations

import logging

from airflow_oauth_provider.connection import checks
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.protocol.urls import Url, host_allowed

log = logging.getLogger(__name__)


def require_host(extra: Extra, field: str, url: Url, patterns: tuple[str, ...], option: str) -> None:
    """Hold an address against an allow-list and the addresses nobody means.

    :param option: of ``[oauth2]``, that has the patterns.
    :raises ConfigurationError: naming connection and field.
    """
    if host_allowed(url.origin, patterns):
        return
    host = url.origin.authority
    if patterns:
        log.warning(
            'Connection "%s", field "%s": host %s is not in [oauth2] %s',
            extra.conn_id,
            field,
            host,
            option,
        )
        extra.fail(field, f"the host {host} is not in [oauth2] {option} of airflow.cfg")
    if checks.forbidden(url):
        extra.fail(
            field,
            f"no server has the address {host} (link-local, metadata, reserved); if it is meant, list it "
            f"in [oauth2] {option}",
        )
