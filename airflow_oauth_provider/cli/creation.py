"""From the arguments of ``create`` to a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from airflow_oauth_provider.authorizations import ConnectionValues
from airflow_oauth_provider.cli.arguments import fields_given, take_secret, variable
from airflow_oauth_provider.cli.key_file import add_key
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.connection.presets import Preset, filled_in, placed, preset_named
from airflow_oauth_provider.connection.provider_form import default_extra
from airflow_oauth_provider.connection.resolving import MAX_NAME
from airflow_oauth_provider.connection.tenant import PLACEHOLDER, has_placeholder
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import DEFAULT_METHOD, METHODS, Needs

NOTHING_STORED: Mapping[str, Any] = MappingProxyType({})


def connection_from(args: Any) -> ConnectionValues:
    """Put the connection together.

    :raises ConfigurationError: naming the argument or field at fault.
    """
    conn_id = _name(args.conn_id)
    try:
        preset = preset_named(args.preset) if args.preset else None
        given = fields_given(args.set, args.set_env)
        given = filled_in(preset, given) if preset else given
        add_key(args, given, variable)
        host = host_given(args, given, preset)
        method = METHODS[given.get("auth_method", DEFAULT_METHOD)]
        by_key = method.needs.secret_field == "private_key"
        entered = method.needs is Needs.SECRET or (by_key and "private_key" not in given)
        secret = take_secret(args, given, method, needed=entered and "external_credential" not in given)
        return ConnectionValues(
            conn_id,
            conn_type=CONNECTION_TYPE,
            description=args.description,
            host=host,
            login=args.client_id,
            password=secret,
            extra=json.dumps(default_extra() | given),
        )
    except ConfigurationError as error:
        raise error.for_connection(conn_id) from None


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


def tenant_named(address: str, tenant: str | None, given: dict[str, Any], stored: Mapping[str, Any]) -> str:
    """Return an address with the tenant's name in its host, and keep the name for fields that need it.

    :raises ConfigurationError: when it has no place.
    """
    host = placed(address, tenant)
    if has_placeholder((host, *map(str, {**stored, **given}.values()))):
        given["tenant"] = tenant or given.get("tenant") or stored.get("tenant")
    elif tenant is not None and host == address:
        raise ConfigurationError(f"has no place: nothing has {PLACEHOLDER}", field="--tenant")
    return host


def _name(name: str) -> str:
    from airflow.models.connection import sanitize_conn_id

    if len(name) > MAX_NAME:
        raise ConfigurationError(f"a connection's name has at most {MAX_NAME} characters", field="NAME")
    if name in {".", ".."}:
        raise ConfigurationError("browsers take this name for a folder: no page could open it", field="NAME")
    if sanitize_conn_id(name) != name:
        raise ConfigurationError(
            "a connection's name has letters, digits and # ! ( ) . : / \\ _ - only", field="NAME"
        )
    return name
