"""Settings of connections that were resolved a moment ago: a list shows the same rows again and again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import fields

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.resolving import Resolved, resolve
from airflow_oauth_provider.deployment.policy import Policy

MOST = 1024
"""Connections that are remembered."""
_FIELDS = tuple(entry.name for entry in fields(ConnectionValues))
_known: OrderedDict[bytes, tuple[Policy, Resolved]] = OrderedDict()


def settings_for_display(values: ConnectionValues, policy: Policy) -> Resolved:
    """Resolve a connection for displays; one that is as it was, below the same policy, only once.

    :param policy: as it was just read: the same object as long as nothing is read anew.
    :raises ConfigurationError: as :func:`resolve` does; it is not remembered.
    """
    digest = _digest(values)
    known = _known.get(digest)
    if known is not None and known[0] is policy and known[1].is_current():
        return known[1]
    resolved = resolve(values, policy, thorough=False)
    _known[digest] = policy, resolved
    while len(_known) > MOST:
        with suppress(KeyError):  # another thread was faster
            _known.popitem(last=False)
    return resolved


def _digest(values: ConnectionValues) -> bytes:
    text = repr([getattr(values, name) for name in _FIELDS])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
