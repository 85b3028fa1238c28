"""From a stored connection and the arguments of ``edit`` to the connection that takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_oauth_provider.authorizations import ConnectionValues
from airflow_oauth_provider.authorizations.editing import (
    Entered,
    SecretsRequiredError,
    edited_connection,
    method_in,
    stored_fields,
)
from airflow_oauth_provider.cli.arguments import fields_given, option_named, take_secret, variable
from airflow_oauth_provider.cli.creation import host_given, preset_needs
from airflow_oauth_provider.cli.key_file import add_key
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.connection.presets import (
    Preset,
    PresetNeedsError,
    filled_in,
    preset_named,
    tenant_named,
)
from airflow_oauth_provider.exceptions import ConfigurationError

Extra = Mapping[str, Any]

_ADDRESS = ("token_url", "discovery", "preset", "tenant")
_OTHERS = ("client_id", "secret_stdin", "secret_env", "key_file", "passphrase_env", "set", "set_env")


def edited(before: ConnectionValues, args: Any) -> ConnectionValues:
    """Put the connection together that takes the place of a stored one.

    :raises ConfigurationError: naming the argument or field at fault.
    """
    try:
        if args.description is None and not any(getattr(args, name) for name in (*_ADDRESS, *_OTHERS)):
            raise ConfigurationError("say what is to change: `airflow oauth2 edit --help` lists the options")
        return edited_connection(before, _entered(before, stored_fields(before), args))
    except SecretsRequiredError as error:
        raise _secrets_required(error).for_connection(before.conn_id) from None
    except PresetNeedsError as error:
        raise preset_needs(error).for_connection(before.conn_id) from None
    except ConfigurationError as error:
        raise option_named(error).for_connection(before.conn_id) from None


def _entered(before: ConnectionValues, stored: dict[str, Any], args: Any) -> Entered:
    preset = preset_named(args.preset) if args.preset else None
    given = _given(stored, preset, args)
    host = _host(before, stored, given, preset, args)
    password = take_secret(args, given, method_in(stored | given)) or None
    return Entered(host, args.client_id or None, password, args.description, given)


def _given(stored: Extra, preset: Preset | None, args: Any) -> dict[str, Any]:
    """Return the fields that the arguments fill in; what a preset asks for may be there already."""
    given = fields_given(args.set, args.set_env)
    if preset:
        given = filled_in(preset, {key: stored[key] for key in preset.asks if stored.get(key)} | given)
    add_key(args, given, variable)
    return given


def _host(
    before: ConnectionValues, stored: Extra, given: dict[str, Any], preset: Preset | None, args: Any
) -> str | None:
    if args.token_url or args.discovery or (preset and preset.host):
        given.setdefault("discovery", False)
        return host_given(args, given, preset, stored)
    if args.tenant:
        return tenant_named(before.host or "", args.tenant, given, stored)
    return None


def _secrets_required(error: SecretsRequiredError) -> ConfigurationError:
    """Say by which options to give the secrets again."""
    options = {"password": "--secret-stdin or --secret-env"}
    for key in filter(FIELDS_BY_KEY.get, error.missing):
        by_file = "--key-file or " if key == "private_key" else ""
        options[key] = f"{by_file}--set-env {key}=VARIABLE"
    how = ", ".join(options[key] for key in error.missing)
    return ConfigurationError(f"{error.message}, by {how} (--set KEY= empties a field)")
