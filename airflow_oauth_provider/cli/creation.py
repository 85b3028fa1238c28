"""From the arguments of ``create`` to a connection."""

from __future__ import annotations

from collections.abc import Mapping
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
        given = filled_in(preset, given) if preset else given
        add_key(args, given, variable)
        host = host_given(args, given, preset)
        method = method_in(given)
        by_key = method.needs.secret_field == "private_key"
        entered = method.needs is Needs.SECRET or (by_key and "private_key" not in given)
        secret = take_secret(args, given, method, needed=entered and "external_credential" not in given)
        return new_connection(conn_id, Entered(host, args.client_id, secret, args.description, given))
    except PresetNeedsError as error:
        raise preset_needs(error).for_connection(conn_id) from None
    except ConfigurationError as error:
        raise option_named(error).for_connection(conn_id) from None


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
