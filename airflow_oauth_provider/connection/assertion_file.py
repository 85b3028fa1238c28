"""Workload identity: the file in which a platform keeps an assertion about this workload.

A connection names it, so it is held to what the deployment allows: a folder of ``assertion_folders``, and a
token server of ``allowed_token_hosts``, which has to be set then. Nothing of the connection may have the
assertion read on its way. Whether the file is there is seen when it is sent: not every machine has it.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from airflow_oauth_provider.connection.external import require_direct_way
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.client.methods import Method, Needs
from airflow_oauth_provider.protocol.configured_server import Issuer, TokenEndpoint
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.urls import host_allowed

FIELD = "assertion_file"
_KIND = "assertion_kind"


def assertion_file(
    extra: Extra, policy: Policy, server: TokenEndpoint | Issuer, method: Method
) -> AssertionFile | None:
    """Return the file, where the method wants one.

    :raises ConfigurationError: when it may not be sent to this server.
    """
    text = extra.value(FIELD)
    if method.needs is not Needs.FILE:
        kind = extra.value(_KIND)
        given = {FIELD: text is not None, _KIND: kind != FIELDS_BY_KEY[_KIND].default}
        extra.warnings += [
            f"{field} is ignored: auth_method is {method.name}" for field, is_set in given.items() if is_set
        ]
        return None
    if text is None:
        extra.fail(FIELD, f"is missing: {method.name} needs it")
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts:
        extra.fail(FIELD, "must be the absolute path of a file, without ..")
    folder = next((folder for folder in policy.assertion_folders if path.is_relative_to(folder)), None)
    if folder is None or path == PurePosixPath(folder):
        extra.fail(FIELD, "is not below a folder of [oauth2] assertion_folders in airflow.cfg")
    if not host_allowed(server.origin, policy.token_hosts):
        extra.fail(
            FIELD,
            f"may go to listed hosts only: list {server.origin.authority} in [oauth2] allowed_token_hosts",
        )
    require_direct_way(extra, f"must be empty beside {FIELD}")
    return AssertionFile(str(path), extra.value(_KIND), folder)
