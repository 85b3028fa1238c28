"""All fields of a connection that are wrong, not only the first: for a form, which has a place for each.

The settings are read field after field, and the first that is wrong ends that. So the wrong one is left out
and the rest is read again, as long as no other field depends on it. Of what is wrong then, only fields count
that stand for themselves: nobody is to be sent to a field that is right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.field_kinds import Kind
from airflow_oauth_provider.connection.fields import FIELDS
from airflow_oauth_provider.connection.parsing import FieldError, parse_extra
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError

_STAND_INS = {"host": "https://stand-in.example/token", "login": "stand-in", "password": "stand-in" * 8}
"""Good values for what cannot be left out."""
_BY_THEMSELVES = frozenset(
    {
        *(*_STAND_INS, "private_key"),
        *(entry.key for entry in FIELDS if entry.kind in {Kind.INTEGER, Kind.SECONDS, Kind.DATE}),
    }
)
"""Fields that are wrong whatever stands in most others."""
_DECISIVE = frozenset(
    {
        *("auth_method", "custom_provider", "discovery", "dpop", "tenant", "tenants", "external_credential"),
        *("private_key", "private_key_passphrase", "certificate", "assertion_file"),
    }
)
"""Fields that decide what the others have to be."""


def wrong_fields(values: ConnectionValues, policy: Policy, known: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong, by field.

    :param values: of a connection that cannot be saved.
    :param known: what is known to be wrong, by field; it stays first.
    """
    wrong = dict(known)
    try:
        extra = parse_extra(values.extra)
    except FieldError:
        return wrong
    rest = {key: value for key, value in extra.items() if key not in wrong}
    while not _DECISIVE & wrong.keys() and not rest.get("external_credential"):
        given: dict[str, Any] = {name: text for name, text in _STAND_INS.items() if name in wrong}
        # The stand-in's host is on no list.
        allowed = replace(policy, token_hosts=()) if "host" in wrong else policy
        try:
            resolve(replace(values, extra=json.dumps(rest), **given), allowed, thorough=False)
        except ConfigurationError as error:
            field, message = error.field, error.message
        else:
            break
        if field is None or field in wrong or field not in _BY_THEMSELVES:
            break
        wrong[field] = message
        rest.pop(field, None)
    return wrong
