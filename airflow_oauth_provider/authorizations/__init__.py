"""Authorizations as people see them: what page, command line and check operator share.

:func:`describe` returns the state of a connection without any network; :func:`authorize`,
:func:`forget`, :func:`revoke` and :func:`check_all` act on it. Nothing here shows a secret or a token.
"""

from airflow_oauth_provider.authorizations.actions import authorize, forget, revoke
from airflow_oauth_provider.authorizations.authorization import (
    FAILED,
    LABELS,
    Authorization,
    AuthorizationStatus,
    Refusal,
    status_of,
)
from airflow_oauth_provider.authorizations.checking import AT_ONCE, Target, check_all, check_one
from airflow_oauth_provider.authorizations.deployment import deployment_warnings, store_note
from airflow_oauth_provider.authorizations.description import describe, named_category
from airflow_oauth_provider.authorizations.remedies import remedy
from airflow_oauth_provider.authorizations.results import CheckResult, error_report
from airflow_oauth_provider.authorizations.settings import display_sections, display_settings
from airflow_oauth_provider.authorizations.values import ConnectionValues

__all__ = [
    "AT_ONCE",
    "FAILED",
    "LABELS",
    "Authorization",
    "AuthorizationStatus",
    "CheckResult",
    "ConnectionValues",
    "Refusal",
    "Target",
    "authorize",
    "check_all",
    "check_one",
    "deployment_warnings",
    "describe",
    "display_sections",
    "display_settings",
    "error_report",
    "forget",
    "named_category",
    "remedy",
    "revoke",
    "status_of",
    "store_note",
]
