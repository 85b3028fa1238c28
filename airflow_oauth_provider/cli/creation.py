"""From the arguments of ``create`` to a connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_oauth_provider.authorizations import ConnectionValues
from airflow_oauth_provider.authorizations.editing import Entered, method_in, new_connection, require_name
from airflow_oauth_provider.cli.arguments import fields_given, option_named, take_secret, variable
from airflow_oauth_provider.cli.key_file import add_key
from airflow_oauth_provider.connection.presets import (
    NOTHING_STORED,
    Preset,
    PresetNeedsError,
    filled_in,
    preset_named,
    tenant_named,
)
from airflow_oauth_provider.connection.tenant import has_placeholder
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import Needs


def connection_from(args: Any) -> ConnectionValues:
    """Put the connection together.

    :raises ConfigurationError: naming the argument or field at fault.
    """
    conn_id = args.conn_id
    try:
        require_name(conn_id)
    except ConfigurationError as error:
        raise option_named(error) from None
    try:
        preset = preset_named(args.preset) if args.preset else None
        given = fields_given(args.set, args.set_env)
        add_key(args, given, variable)
        _require_options(args, given, preset)
        given = filled_in(preset, given) if preset else given
        host = host_given(args, given, preset)
        secret = take_secret(args, given, method_in(given), needed=_needs_secret(given))
        return new_connection(conn_id, Entered(host, args.client_id, secret, args.description, given))
    except PresetNeedsError as error:
        raise preset_needs(error).for_connection(conn_id) from None
    except ConfigurationError as error:
        raise option_named(error).for_connection(conn_id) from None


def _require_options(args: Any, given: Mapping[str, Any], preset: Preset | None) -> None:
    """Name all options at once that are missing; of a single one its own check says more.

    :raises ConfigurationError: when several are, or the client ID.
    """
    missing = list(_missing(args, given, preset))
    if len(missing) < 2 and args.client_id is not None:
        return
    *others, last = missing
    needs = f"{', '.join(others)} and {last}" if others else last
    if preset is None:
        raise ConfigurationError(f"a connection needs {needs}")
    notes = f" ({preset.notes})" if preset.notes and not preset.host else ""
    raise ConfigurationError(f"{preset.name} also needs {needs}{notes}", field="--preset")


def _missing(args: Any, given: Mapping[str, Any], preset: Preset | None) -> Iterator[str]:
    if preset and preset.host:
        if has_placeholder(preset.host) and args.tenant is None:
            yield f"--tenant TENANT ({preset.tenant})"
    elif args.token_url is None and args.discovery is None:
        yield "--token-url URL or --discovery ISSUER"
    if preset:
        yield from (f"--set {key}={hint}" for key, hint in preset.missing(given).items())
    if args.client_id is None:
        yield "--client-id ID"
    fields = {**(preset.extra if preset else {}), **given}
    if _needs_secret(fields) and not (args.secret_stdin or args.secret_env or args.key_file):
        by_key = method_in(fields).needs.secret_field == "private_key"
        yield "--key-file FILE" if by_key else "--secret-stdin or --secret-env VARIABLE"


def _needs_secret(fields: Mapping[str, Any]) -> bool:
    """Whether the method needs a secret or key that is in no field of the extra yet."""
    needs = method_in(fields).needs
    by_key = needs.secret_field == "private_key" and "private_key" not in fields
    return (needs is Needs.SECRET or by_key) and "external_credential" not in fields


def preset_needs(error: PresetNeedsError) -> ConfigurationError:
    """Say by which options to fill in what a preset asks for."""
    missing = " and ".join(f"--set {key}={hint}" for key, hint in error.missing.items())
    return ConfigurationError(f"{error.preset} also needs {missing}", field="--preset")


def host_given(
    args: Any, given: dict[str, Any], preset: Preset | None, stored: Mapping[str, Any] = NOTHING_STORED
) -> str:
    """Return the access token URL or, for discovery, the issuer; the tenant's name stands in its host.

    :param given: fields of the connection, to which those are added that come with an address.
    :param stored: fields that an edited connection has already.
    :raises ConfigurationError: naming the argument at fault.
    """
    known = preset.host if preset else None
    if known and (args.token_url or args.discovery):
        raise ConfigurationError(f"knows the access token URL: {known}; leave yours out", field="--preset")
    if not known and (args.token_url is None) == (args.discovery is None):
        hint = f" ({preset.notes})" if preset and preset.notes else ""
        raise ConfigurationError(f"or --discovery ISSUER: give one of the two{hint}", field="--token-url")
    if args.discovery is not None:
        given["discovery"] = True
    return tenant_named(str(known or args.discovery or args.token_url), args.tenant, given, stored)
