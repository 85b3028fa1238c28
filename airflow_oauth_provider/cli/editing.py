"""From a stored connection and the arguments of ``edit`` to the connection that takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_oauth_provider.authorizations import ConnectionValues
from airflow_oauth_provider.authorizations.editing import (
    Entered,
    SecretsRequiredError,
    edit_of,
    method_in,
    stored_fields,
)
from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.cli.arguments import fields_given, take_secret, variable
from airflow_oauth_provider.cli.creation import (
    host_given,
    missing_options,
    preset_of,
    preset_options,
    require_all_right,
)
from airflow_oauth_provider.cli.key_file import add_key
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.connection.presets import Preset, filled_in, tenant_named
from airflow_oauth_provider.exceptions import ConfigurationError

Extra = Mapping[str, Any]

_ADDRESS = ("token_url", "discovery", "preset", "tenant")
_OTHERS = ("client_id", "secret_stdin", "secret_env", "key_file", "passphrase_env", "set", "set_env")


def edited(before: ConnectionValues, args: Any) -> ConnectionValues:
    """Put the connection together that takes the place of a stored one.

    :raises ConfigurationError: naming all arguments and fields at fault.
    """
    if args.description is None and not any(getattr(args, name) for name in (*_ADDRESS, *_OTHERS)):
        raise ConfigurationError(
            "say what is to change: `airflow oauth2 edit --help` lists the options", conn_id=before.conn_id
        )
    faults = Faults()
    edit = edit_of(before, _entered(before, stored_fields(before), args, faults))
    is_known = faults.by_field and edit.required and set(edit.required.missing) <= faults.unknown
    if edit.required is not None and not is_known:  # what is missing must never go unsaid: it would be saved
        faults.add(_secrets_required(edit.required), *edit.required.missing)
    require_all_right(edit.values, faults)
    return edit.values


def _entered(before: ConnectionValues, stored: dict[str, Any], args: Any, faults: Faults) -> Entered:
    preset = preset_of(args, faults)
    given = fields_given(args.set, args.set_env, faults)
    if preset:
        given = _with_preset(before, stored, given, preset, args, faults)
    add_key(args, given, faults, variable)
    host = _host(before, stored, given, preset, args, faults)
    password = take_secret(args, given, faults, method_in(stored | given)) or None
    return Entered(host, args.client_id or None, password, args.description, given)


def _with_preset(
    before: ConnectionValues, stored: Extra, given: Extra, preset: Preset, args: Any, faults: Faults
) -> dict[str, Any]:
    """Return the fields that preset and arguments fill in; what a preset asks for may be there already."""
    given = {key: stored[key] for key in preset.asks if stored.get(key)} | dict(given)
    address = preset.host or args.token_url or args.discovery or before.host
    known = given if given.get("tenant") else {**given, "tenant": stored.get("tenant")}
    if missing := dict(preset_options(preset, known, address, args.tenant)):
        faults.add(missing_options(missing.values(), preset), *missing)
    return filled_in(preset, given)


def _host(
    before: ConnectionValues,
    stored: Extra,
    given: dict[str, Any],
    preset: Preset | None,
    args: Any,
    faults: Faults,
) -> str | None:
    if args.token_url or args.discovery or (preset and preset.host):
        given.setdefault("discovery", False)
        return host_given(args, given, preset, faults, stored)
    if args.tenant:
        with faults.gathered("host"):
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
