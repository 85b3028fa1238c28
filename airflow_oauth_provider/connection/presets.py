"""What is known of some APIs, so that a person need not look it up: presets for ``create``.

The facts stand in ``presets.toml``, each with the vendor's page that says so. What a preset makes is an
ordinary connection.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from airflow_oauth_provider.connection.tenant import (
    PLACEHOLDER,
    has_placeholder,
    is_tenant,
    is_well_placed,
    stands_in_host,
    with_tenant,
)
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import METHODS

NOTHING_STORED: Mapping[str, Any] = MappingProxyType({})
_FACTS = Path(__file__).with_name("presets.toml")


@dataclass(frozen=True)
class Preset:
    """The facts of one API.

    :param link: the vendor's page.
    :param read: the day on which the facts were compared with the vendor's own words.
    :param unchecked: which of them could not be; empty for none.
    :param host: access token URL, or issuer; ``None`` where each customer has their own.
    :param tenant: what the tenant's name is there; ``None`` where there is none.
    :param extra: fields of the connection's extra.
    :param asks: fields that a person has to fill in, and with what.
    :param notes: what else to know.
    """

    name: str
    title: str
    link: str
    read: str
    extra: Mapping[str, Any]
    unchecked: str = ""
    host: str | None = None
    tenant: str | None = None
    asks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: str = ""

    @property
    def checked(self) -> str:
        """When the facts were compared with the vendor's own words, and which were not."""
        return f"read {self.read}" + (f"; not checked: {self.unchecked}" if self.unchecked else "")

    def missing(self, given: Mapping[str, Any], address: str | None, tenant: str | None) -> dict[str, str]:
        """Return what a person still has to fill in, and with what; the tenant first.

        :param given: fields that are filled in.
        :param address: access token URL or issuer, if there is one.
        :param tenant: its name, if it is given.
        """
        texts = (address or "", *map(str, {**self.extra, **given}.values()))
        needs_tenant = has_placeholder(texts) and tenant is None and not given.get("tenant")
        of_tenant = {"tenant": self.tenant or "its name"} if needs_tenant else {}
        return of_tenant | {key: hint for key, hint in self.asks.items() if not given.get(key)}

    def reason(self, hint: str) -> str:
        """Say why a field that is missing is needed."""
        return f"{self.title} needs it: {hint}"

    @property
    def command(self) -> str:
        """The command that creates a connection to this API."""
        parts = [f"airflow oauth2 create NAME --preset {self.name}"]
        parts += ["--tenant TENANT"] if self.tenant else []
        parts += [] if self.host else ["--token-url URL"]
        by_key = METHODS[self.extra["auth_method"]].needs.secret_field == "private_key"
        parts += ["--client-id ID", "--key-file FILE" if by_key else "--secret-stdin"]
        parts += [f"--set {key}=…" for key in self.asks]
        return " ".join(parts)


@cache
def presets() -> Mapping[str, Preset]:
    """Return all presets by their names."""
    facts = tomllib.loads(_FACTS.read_text(encoding="utf-8"))
    return MappingProxyType({name: Preset(name, **content) for name, content in facts.items()})


def preset_named(name: str) -> Preset:
    """Return a preset.

    :raises ConfigurationError: when there is none of that name; it offers similar ones.
    """
    known = presets()
    if name not in known:
        similar = ", ".join(get_close_matches(name, known)) or ", ".join(known)
        raise ConfigurationError(f"there is none of this name: did you mean {similar}?", field="preset")
    return known[name]


def placed(host: str, tenant: str | None) -> str:
    """Return an access token URL or issuer with the tenant's name in its host.

    There it is written for good: Airflow's Test route compares hosts, and knows no placeholder.

    :raises ConfigurationError: when there is no name, or it is none.
    """
    if tenant is not None and not is_tenant(tenant):
        raise ConfigurationError("must be 1 to 63 letters, digits and hyphens, no address", field="tenant")
    if not has_placeholder(host):
        return host
    if tenant is None:
        raise ConfigurationError(f"is needed: the access token URL has {PLACEHOLDER}", field="tenant")
    if not is_well_placed(host):
        raise ConfigurationError(
            f"must be one whole label of the host, with two fixed ones behind it: {PLACEHOLDER}.idp.example",
            field="tenant",
        )
    return str(with_tenant(host, tenant)) if stands_in_host(host) else host


def filled_in(preset: Preset, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a preset's connection.

    :param given: what a person has filled in; it counts more than what the preset says.
    """
    return {**preset.extra, **given}


def tenant_named(
    address: str, tenant: str | None, given: dict[str, Any], stored: Mapping[str, Any] = NOTHING_STORED
) -> str:
    """Return an address with the tenant's name in its host, and keep the name for fields that need it.

    :param given: fields of the connection, to which the name is added.
    :param stored: fields that an edited connection has already.
    :raises ConfigurationError: when it has no place.
    """
    host = placed(address, tenant)
    if has_placeholder((host, *map(str, {**stored, **given}.values()))):
        given["tenant"] = tenant or given.get("tenant") or stored.get("tenant")
    elif tenant is not None and host == address:
        raise ConfigurationError(f"has no place: nothing has {PLACEHOLDER}; leave it out", field="tenant")
    return host
