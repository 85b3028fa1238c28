"""The tenant's name, put where a connection has ``{tenant}``.

It may come from a DAG's run, so it is letters, digits and hyphens: nothing that could make another host,
path or parameter of what it is put into. In a host it is a whole label with two fixed ones behind it. That
of the access token URL may hold it only where the deployment lists its token hosts: Airflow's Test route
guards stored secrets by comparing host and port, and would not see another tenant.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_oauth_provider.protocol.urls import UrlError, canonical_host

PLACEHOLDER = "{tenant}"
FIELDS_WITH_TENANT = frozenset({"scope", "audience", "resource", "query_params", "post_params"})
"""Fields of the extra in which the placeholder stands for the name, addresses apart."""
_NAME = re.compile(r"[A-Za-z0-9-]{1,63}\Z")
_AUTHORITY = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?([^/?#]*)")
_FIXED_LABELS = 2


def is_tenant(name: str) -> bool:
    """Whether a text is the name of a tenant."""
    return _NAME.match(name) is not None


def stands_in_host(address: str) -> bool:
    """Whether the placeholder is part of an address's host."""
    return PLACEHOLDER in _authority(address)


def is_well_placed(address: str) -> bool:
    """Whether the placeholder is no part of the host, or one whole label of it with two fixed ones behind."""
    labels = _authority(address).partition(":")[0].split(".")
    places = [at for at, label in enumerate(labels) if PLACEHOLDER in label]
    if not places:
        return not stands_in_host(address)
    first = places[0]
    return labels[first] == PLACEHOLDER and _fixed_labels(labels[first + 1 :]) >= _FIXED_LABELS


def _fixed_labels(labels: list[str]) -> int:
    """Count labels as they are in the host that is called: a dot at its end, for one, makes none.

    Where the placeholder comes again there is no such host.
    """
    try:
        return canonical_host(".".join(labels)).count(".") + 1
    except UrlError:
        return 0


def with_tenant(value: Any, name: str) -> Any:
    """Return a text, or a tuple that holds texts, with the name in place of the placeholder."""
    if isinstance(value, str):
        return value.replace(PLACEHOLDER, name)
    return tuple(with_tenant(item, name) for item in value) if isinstance(value, tuple) else value


def has_placeholder(value: Any) -> bool:
    """Whether the placeholder stands somewhere in a text, or in a tuple that holds texts."""
    if isinstance(value, str):
        return PLACEHOLDER in value
    return isinstance(value, tuple) and any(has_placeholder(item) for item in value)


def _authority(address: str) -> str:
    match = _AUTHORITY.match(address)
    return match[1] if match else ""
