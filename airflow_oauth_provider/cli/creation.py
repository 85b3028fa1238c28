"""From the arguments of ``create`` to a connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_oauth_provider.authorizations import ConnectionValues
from airflow_oauth_provider.authorizations.editing import Entered, method_in, new_connection, require_name
from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError, require_right
from airflow_oauth_provider.cli.arguments import (
    fields_given,
    require_secret,
    take_secret,
    variable,
    with_options,
)
from airflow_oauth_provider.cli.key_file import add_key
from airflow_oauth_provider.connection.presets import (
    NOTHING_STORED,
    Preset,
    filled_in,
    preset_named,
    tenant_named,
)
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import Needs

_BY_PRESET = ("host", "auth_method", "base_url", "tenant")
"""Fields that a preset may fill in, and that others depend on."""


def connection_from(args: Any) -> ConnectionValues:
    """Put the connection together.

    :raises WrongFieldsError: naming all arguments and fields at fault.
    """
    faults = Faults()
    with faults.gathered("conn_id"):
        require_name(args.conn_id)
    preset = preset_of(args, faults)
    given = fields_given(args.set, args.set_env, faults)
    add_key(args, given, faults, variable)
    _require_options(args, given, preset, faults)
    given = filled_in(preset, given) if preset else given
    host = host_given(args, given, preset, faults)
    secret = take_secret(args, given, faults, method_in(given))
    values = new_connection(args.conn_id, Entered(host, args.client_id, secret, args.description, given))
    require_all_right(values, faults)
    return values


def require_all_right(values: ConnectionValues, faults: Faults) -> None:
    """Refuse a connection of which something is wrong already, with all else that is.

    :raises WrongFieldsError: naming arguments and fields.
    """
    try:
        require_right(values, read_policy(), faults)
    except WrongFieldsError as error:
        raise with_options(error) from None


def preset_of(args: Any, faults: Faults) -> Preset | None:
    """Return the preset that is named, if there is one."""
    with faults.gathered(*_BY_PRESET):
        return preset_named(args.preset) if args.preset else None
    return None


def _require_options(args: Any, given: Mapping[str, Any], preset: Preset | None, faults: Faults) -> None:
    """Name all options that are missing in one sentence; of a single one its own check says more."""
    missing = dict(_missing(args, given, preset, faults))
    if len(missing) == 1 and "password" in missing:
        with faults.gathered("password", "private_key"):
            require_secret()
    if len(missing) > 1 or "login" in missing or (preset and preset.asks.keys() & missing.keys()):
        faults.add(missing_options(missing.values(), preset), *missing, "private_key")


def missing_options(options: Iterable[str], preset: Preset | None) -> ConfigurationError:
    """Say which options are missing."""
    *others, last = options
    needs = f"{', '.join(others)} and {last}" if others else last
    if preset is None:
        return ConfigurationError(f"a connection needs {needs}")
    notes = f" ({preset.notes})" if preset.notes and not preset.host else ""
    return ConfigurationError(f"{preset.name} also needs {needs}{notes}", field="--preset")


def _missing(
    args: Any, given: Mapping[str, Any], preset: Preset | None, faults: Faults
) -> Iterator[tuple[str, str]]:
    """Yield field and option of all that is missing."""
    address = (preset.host if preset else None) or args.token_url or args.discovery
    if address is None and not faults.concern("host"):
        yield "host", "--token-url URL or --discovery ISSUER"
    if preset:
        yield from preset_options(preset, given, address, args.tenant)
    if args.client_id is None:
        yield "login", "--client-id ID"
    fields = {**(preset.extra if preset else {}), **given}
    by_option = args.secret_stdin or args.secret_env or args.key_file
    if _needs_secret(fields) and not by_option and not faults.concern("auth_method"):
        by_key = method_in(fields).needs.secret_field == "private_key"
        yield "password", "--key-file FILE" if by_key else "--secret-stdin or --secret-env VARIABLE"


def preset_options(
    preset: Preset, given: Mapping[str, Any], address: str | None, tenant: str | None
) -> Iterator[tuple[str, str]]:
    """Yield field and option of all that a preset asks for."""
    for key, hint in preset.missing(given, address, tenant).items():
        yield key, f"--tenant TENANT ({hint})" if key == "tenant" else f"--set {key}={hint}"


def _needs_secret(fields: Mapping[str, Any]) -> bool:
    """Whether the method needs a secret or key that is in no field of the extra yet."""
    needs = method_in(fields).needs
    by_key = needs.secret_field == "private_key" and "private_key" not in fields
    return (needs is Needs.SECRET or by_key) and "external_credential" not in fields


def host_given(
    args: Any,
    given: dict[str, Any],
    preset: Preset | None,
    faults: Faults,
    stored: Mapping[str, Any] = NOTHING_STORED,
) -> str | None:
    """Return the access token URL or, for discovery, the issuer; the tenant's name stands in its host.

    :param given: fields of the connection, to which those are added that come with an address.
    :param faults: takes what is wrong, by option.
    :param stored: fields that an edited connection has already.
    """
    if faults.concern("host"):
        return None
    known = preset.host if preset else None
    with faults.gathered("host", "discovery", "tenant"):
        if known and (args.token_url or args.discovery):
            raise ConfigurationError(
                f"knows the access token URL: {known}; leave yours out", field="--preset"
            )
        if args.token_url is not None and args.discovery is not None:
            raise ConfigurationError("and --discovery exclude each other: give one", field="--token-url")
        if not known and args.token_url is None and args.discovery is None:
            hint = f" ({preset.notes})" if preset and preset.notes else ""
            raise ConfigurationError(f"or --discovery ISSUER: give one of the two{hint}", field="--token-url")
        if args.discovery is not None:
            given["discovery"] = True
        address = str(known or args.discovery or args.token_url)
        if not faults.concern("tenant"):
            return tenant_named(address, args.tenant, given, stored)
        faults.unknown.add("host")
        return address
    return None
